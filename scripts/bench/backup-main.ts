/** `scripts/bench/backup`: reads the command line, plays the rounds, prints the table. */
import { mkdtemp, rm } from "node:fs/promises";
import { arch, availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Contestant } from "./backup-contestant.ts";
import { copyTree, makeLargeFiles, sizeOfTree, warm } from "./backup-data.ts";
import { run } from "./backup-measure.ts";
import { measureMemory } from "./backup-memory.ts";
import { pleach } from "./backup-pleach.ts";
import { borg, restic } from "./backup-rivals.ts";
import { playRound, type Source, type Sources } from "./backup-round.ts";
import { CONTESTANTS, judge, summaryOf, tableOf, type ContestantName } from "./backup-table.ts";
import { ownerUplink } from "./backup-uplink.ts";
import type { Figures } from "./backup-work.ts";

const HELP = `Examples:
  scripts/bench/backup                     three rounds on a copy of /usr/share
  scripts/bench/backup --data /srv/mail    with a copy of small files of yours
  scripts/bench/backup --rounds 1 --json   one summary object as the last line
  scripts/bench/backup --memory            peak memory with 1, 5 and 20 GB

Lets Pleach, restic and borg do the same work in turn, round after round, with many small files and
with 2 GB of large ones: a first backup, a run with nothing changed, one with 1 % changed, a restore.
Prints medians, the ratio of ours to the better one of the others, and the goal; then what three
remote copies cost the uplink of the owner. Needs 10 GB in TMPDIR, --memory 35 GB. A machine that
does other work, too, gives ratios at best.`;

const BY_NAME: Readonly<Record<ContestantName, Contestant>> = { pleach, restic, borg };
const DEFAULT_DATA = "/usr/share";

interface BenchOptions {
  /** Small files, of which a copy is made. Undefined: /usr/share. */
  readonly data: string | undefined;
  readonly rounds: number;
  readonly json: boolean;
  readonly memory: boolean;
}

async function main(): Promise<number> {
  let options: BenchOptions | undefined;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`error E-USAGE: ${(error as Error).message}`);
    console.error("Nothing was run.\nSee scripts/bench/backup --help");
    return 2;
  }
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  const scratch = await mkdtemp(join(tmpdir(), "bench-"));
  try {
    if (options.memory) await showMemory(options, scratch);
    else await compare(options, scratch);
    return 0;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function readOptions(): BenchOptions | undefined {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      memory: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`"${values.rounds}" is no number of rounds (1 or more)`);
  }
  return { data: values.data, rounds, json: values.json, memory: values.memory };
}

async function compare(options: BenchOptions, scratch: string): Promise<void> {
  const sources = await prepare(options.data, scratch);
  const { small, large } = sources;
  say(`small: ${small.files} files, ${small.bytes} bytes; large: ${large.files}, ${large.bytes}`);
  const rounds: Record<ContestantName, Figures[]> = { pleach: [], restic: [], borg: [] };
  for (let round = 1; round <= options.rounds; round++) {
    for (const name of CONTESTANTS) {
      const figures = await playRound(BY_NAME[name], sources, scratch);
      rounds[name].push(figures);
      const times = [figures.smallFirst, figures.largeFirst, figures.smallRestore];
      say(`round ${round}: ${name} ${times.map((time) => time.toFixed(2)).join(" ")} s`);
    }
  }
  const works = judge(rounds);
  const uplink = await ownerUplink(scratch);
  const table = `${tableOf(works)}\nuplink of the owner: ${uplink.toFixed(3)} of the sealed bytes`;
  if (!options.json) console.log(table);
  else {
    say(`${await version("restic", "version")}\n${await version("borg", "--version")}`);
    say(`node ${process.version}, ${arch()}, ${availableParallelism()} threads\n${table}`);
    console.log(JSON.stringify(summaryOf(works, uplink)));
  }
}

async function showMemory({ json }: BenchOptions, scratch: string): Promise<void> {
  const steps = await measureMemory(scratch, ({ gigabytes, peakMiB, seconds }) => {
    say(`${gigabytes} GB: peak ${peakMiB} MiB, ${seconds.toFixed(1)} s`);
  });
  if (json) console.log(JSON.stringify({ schemaVersion: 1, steps }));
}

async function prepare(data: string | undefined, scratch: string): Promise<Sources> {
  const paths = { small: join(scratch, "small"), large: join(scratch, "large") };
  await copyTree(data ?? DEFAULT_DATA, paths.small);
  await makeLargeFiles(paths.large);
  return { small: await source(paths.small), large: await source(paths.large) };
}

async function source(path: string): Promise<Source> {
  await warm(path);
  return { path, ...(await sizeOfTree(path)) };
}

async function version(...words: readonly string[]): Promise<string> {
  return (await run({ words })).trim();
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exit(await main());
