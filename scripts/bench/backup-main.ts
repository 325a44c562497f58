/** `scripts/bench/backup`: reads the command line, plays the rounds, prints the table. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { arch, availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { readOptions } from "../read-options.ts";
import type { Contestant } from "./backup-contestant.ts";
import { copyTree, makeLargeFiles, sizeOfTree, warm } from "./backup-data.ts";
import { run } from "./backup-measure.ts";
import { measureMemory } from "./backup-memory.ts";
import { pleach } from "./backup-pleach.ts";
import { borg, restic } from "./backup-rivals.ts";
import { playRound, type OnStep, type Source, type Sources } from "./backup-round.ts";
import { CONTESTANTS, judge, summaryOf, tableOf, type ContestantName } from "./backup-table.ts";
import { ownerUplink } from "./backup-uplink.ts";
import type { Figures } from "./backup-work.ts";

const HELP = `Examples:
  scripts/bench/backup                     three rounds on a copy of /usr/share
  scripts/bench/backup --data /srv/mail    with a copy of small files of yours
  scripts/bench/backup --rounds 1 --json   one summary object as the last line
  scripts/bench/backup --memory            peak memory with 1, 5 and 20 GB
  scripts/bench/backup --data DIR --large-mib 200 --rounds 1   a quick look

Lets Pleach, restic and borg do the same work in turn, round after round, with many small files and
with 2 GB of large ones: a first backup, a run with nothing changed, one with 1 % changed, a restore.
Prints medians, the ratio of ours to the better one of the others, and the goal; then what three
remote copies cost the uplink of the owner. No round begins that would not be over --minutes after
the start. Needs 10 GB in TMPDIR, --memory 35 GB; all of it is given back. A machine that does other
work, too, gives ratios at best.`;

const BY_NAME: Readonly<Record<ContestantName, Contestant>> = { pleach, restic, borg };
const DEFAULT_DATA = "/usr/share";
/** What comes after the rounds, the uplink of the owner, takes two minutes of its own at most. */
const AFTER_ROUNDS_MS = 2 * 60_000;

interface BenchOptions {
  /** Small files, of which a copy is made. Undefined: /usr/share. */
  readonly data: string | undefined;
  readonly largeMib: number;
  readonly rounds: number;
  /** Of the whole comparison. */
  readonly minutes: number;
  readonly json: boolean;
  readonly memory: boolean;
}

async function main(): Promise<number> {
  let options: BenchOptions | undefined;
  try {
    options = benchOptions();
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
  // So that the sites of a mesh lie in there, too.
  process.env["TMPDIR"] = scratch;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      killDaemons(scratch);
      rmSync(scratch, { recursive: true, force: true });
      process.exit(130);
    });
  }
  try {
    if (options.memory) await showMemory(options, scratch);
    else await compare(options, scratch);
    return 0;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function benchOptions(): BenchOptions | undefined {
  const { values } = readOptions({
    options: {
      data: { type: "string" },
      "large-mib": { type: "string", default: "2000" },
      rounds: { type: "string", default: "3" },
      minutes: { type: "string", default: "22" },
      json: { type: "boolean", default: false },
      memory: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const rounds = wholeNumber("rounds", values.rounds, 1);
  const minutes = wholeNumber("minutes", values.minutes, 1);
  const largeMib = wholeNumber("large-mib", values["large-mib"], 20);
  const { data, json, memory } = values;
  return { data, largeMib, rounds, minutes, json, memory };
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least) return number;
  throw new Error(`--${option}: "${text}" is no whole number of ${least} or more`);
}

async function compare(options: BenchOptions, scratch: string): Promise<void> {
  const startedMs = performance.now();
  const deadlineMs = startedMs + options.minutes * 60_000 - AFTER_ROUNDS_MS;
  const sources = await prepare(options, scratch);
  const { small, large } = sources;
  say(`small: ${small.files} files, ${small.bytes} bytes; large: ${large.files}, ${large.bytes}`);
  const rounds: Record<ContestantName, Figures[]> = { pleach: [], restic: [], borg: [] };
  let longestMs = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const fromMs = performance.now();
    if (fromMs + longestMs > deadlineMs && round > 1) {
      say(`No round ${round}: it would not be over within ${options.minutes} minutes.`);
      break;
    }
    for (const name of CONTESTANTS) {
      const onStep: OnStep = (step, { seconds, cpuSeconds, peakBytes }) => {
        const peakMiB = Math.ceil(peakBytes / 1024 / 1024);
        const cpu = `${cpuSeconds.toFixed(2)} s of CPU`;
        say(`round ${round}, ${name}: ${step} ${seconds.toFixed(2)} s, ${cpu}, ${peakMiB} MiB`);
      };
      rounds[name].push(await playRound(BY_NAME[name], sources, scratch, onStep));
    }
    longestMs = Math.max(longestMs, performance.now() - fromMs);
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

async function prepare({ data, largeMib }: BenchOptions, scratch: string): Promise<Sources> {
  const paths = { small: join(scratch, "small"), large: join(scratch, "large") };
  await copyTree(data ?? DEFAULT_DATA, paths.small);
  await makeLargeFiles(paths.large, largeMib);
  return { small: await source(paths.small), large: await source(paths.large) };
}

async function source(path: string): Promise<Source> {
  await warm(path);
  return { path, ...(await sizeOfTree(path)) };
}

async function version(...words: readonly string[]): Promise<string> {
  return (await run({ words })).trim();
}

/** Ends the daemons of this run, and nothing else: their command line names its directory. */
function killDaemons(scratch: string): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      const ours = words.some((word) => word.startsWith(`${scratch}/`));
      if (ours && Number(pid) !== process.pid) process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exit(await main());
