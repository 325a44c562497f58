/** `scripts/bench/backup`: reads the command line, plays the rounds, prints the table. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { arch, availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Contestant } from "./backup-contestant.ts";
import { copyTree, makeLargeFiles, sizeOfTree, warm } from "./backup-data.ts";
import { run } from "./backup-measure.ts";
import { pleach } from "./backup-pleach.ts";
import { borg, restic } from "./backup-rivals.ts";
import { playRound, type Source, type Sources } from "./backup-round.ts";
import { CONTESTANTS, judge, tableOf, type ContestantName } from "./backup-table.ts";
import type { Figures } from "./backup-work.ts";

const HELP = `Examples:
  scripts/bench/backup                     three rounds on a copy of /usr/share
  scripts/bench/backup --data /srv/mail    with small files of yours; they are only read
  scripts/bench/backup --rounds 1 --json   one summary object as the last line

Lets Pleach, restic and borg do the same work in turn, round after round: the first backup of many
small files and of large binary files, a run with nothing changed, both restores. Prints medians,
the ratio of ours to the better one of the others, and the goal. Needs 4 GB in TMPDIR, more with
larger data. A machine that does other work, too, gives ratios at best.`;

const BY_NAME: Readonly<Record<ContestantName, Contestant>> = { pleach, restic, borg };
const DEFAULT_DATA = "/usr/share";

interface BenchOptions {
  /** Small files of the user's; undefined: a copy of /usr/share. */
  readonly data: string | undefined;
  readonly rounds: number;
  readonly json: boolean;
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
    await compare(options, scratch);
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
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`"${values.rounds}" is no number of rounds (1 or more)`);
  }
  return { data: values.data, rounds, json: values.json };
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
      const { smallFirst, largeFirst, unchanged, smallRestore } = figures;
      const times = [smallFirst, largeFirst, unchanged, smallRestore];
      say(`round ${round}: ${name} ${times.map((time) => time.toFixed(2)).join(" ")} s`);
    }
  }
  const works = judge(rounds);
  if (!options.json) console.log(tableOf(works));
  else {
    const versions = {
      restic: await version("restic", "version"),
      borg: await version("borg", "--version"),
    };
    const machine = { arch: arch(), threads: availableParallelism(), node: process.version };
    const data = { small: sizes(small), large: sizes(large) };
    say(tableOf(works));
    console.log(
      JSON.stringify({
        ...{ schemaVersion: 1, ok: works.every(({ goalMet }) => goalMet), machine, versions },
        ...{ data, works, rounds },
      }),
    );
  }
}

async function prepare(data: string | undefined, scratch: string): Promise<Sources> {
  const paths = { small: join(scratch, "small"), large: join(scratch, "large") };
  if (data === undefined) await copyTree(DEFAULT_DATA, paths.small);
  else paths.small = await realpath(resolve(data));
  await makeLargeFiles(paths.large);
  return { small: await source(paths.small), large: await source(paths.large) };
}

async function source(path: string): Promise<Source> {
  await warm(path);
  return { path, ...(await sizeOfTree(path)) };
}

function sizes({ files, bytes }: Source): { readonly files: number; readonly bytes: number } {
  return { files, bytes };
}

async function version(...words: readonly string[]): Promise<string> {
  return (await run({ words })).trim();
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exit(await main());
