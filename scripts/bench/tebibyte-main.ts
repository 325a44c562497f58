/** `scripts/bench/tebibyte`: reads the command line, builds the lists of the set, prints the figures. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { readOptions } from "../read-options.ts";
import { ListStore, type LoadedList } from "../../daemon/backup/store/lists/list-store.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { State } from "../../daemon/state/state.ts";
import { testKey } from "../../test-mesh/fakes/founding.ts";
import { bring } from "../../test-mesh/fakes/state-node.ts";
import { SHARD_BYTES } from "../../protocol/backup/shard-id.ts";
import type { MemoryFigures } from "./tebibyte-memory.ts";
import { publishSet, type RecordFigures } from "./tebibyte-records.ts";
import { listsOf, shardNames } from "./tebibyte-set.ts";
import { auditRound, auditTraffic, listTraffic, repairBytesOfShard } from "./tebibyte-traffic.ts";

const HELP = `Examples:
  scripts/bench/tebibyte                    1 TiB in 64 groups, 1 % of it changed each day
  scripts/bench/tebibyte --changed 5        another share of it, in percent
  scripts/bench/tebibyte --gib 256 --groups 16
  scripts/bench/tebibyte --json             one object as the last line

Builds and signs the real lists of such a set, keeps them in a store as the daemon does, and encodes
the messages of a day: lists, audits, repair. No shard is made. Tells the memory of the daemon and
how much of a line of 1 Mbit/s each of these takes. Ends with 1 when memory passes 32 MiB per TiB.
Takes some 30 s and 600 MB of memory.`;

const LINE_BYTES_PER_SECOND = 125_000;
const DAY_SECONDS = 86_400;
const WHOLE_ROUNDS = 30;
const MAX_MEMORY_BYTES_PER_TIB = 32 * 1024 ** 2;
const TIB = 1024 ** 4;

async function main(): Promise<number> {
  const { values } = readOptions({
    options: {
      gib: { type: "string", default: "1024" },
      groups: { type: "string", default: "64" },
      changed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const bytes = Number(values.gib) * 1024 ** 3;
  const shards = Math.round(bytes / SHARD_BYTES);
  const groups = Number(values.groups);
  const changed = Math.round((shards * Number(values.changed)) / 100);
  const all = shardNames(0, shards + changed);
  const before = listsOf(all.slice(0, shards), groups);
  const after = listsOf(all.slice(changed), groups, before);
  const first = listTraffic([], before);
  const day = listTraffic(before, after);
  const audit = auditTraffic(auditRound(after, WHOLE_ROUNDS));
  const published = await publishSet(before, after);
  const records = published.figures;
  const memory = await memoryOf(after, published);
  const repairBytes = shards * repairBytesOfShard();
  const report = {
    ...{ shards, groups, changedShards: changed },
    ...{ memory, records },
    lists: { first, day },
    audit,
    repairBytes,
  };
  if (values.json) console.log(JSON.stringify({ schemaVersion: 1, ...report }));
  else print(report);
  const peakBytes = memory.restBytes + memory.stateBytes + memory.workBytes + memory.roundsBytes;
  return peakBytes > (MAX_MEMORY_BYTES_PER_TIB * bytes) / TIB ? 1 : 0;
}

/** What the lists of a held set take in the memory of a daemon that was started with them. */
async function memoryOf(
  lists: readonly LoadedList[],
  { state, founding }: Awaited<ReturnType<typeof publishSet>>,
): Promise<MemoryFigures> {
  const directory = await mkdtemp(join(tmpdir(), "pl-tebibyte-"));
  try {
    const store = await openLevelStore({ directory, log: silentLogger });
    const writer = await ListStore.open(store, () => 0);
    for (const list of lists) await writer.put([list]);
    const setup = { store, clock: systemClock, log: silentLogger, siteKey: testKey("reader") };
    const reader = await State.open(setup);
    await reader.addStatements(founding.statements);
    await bring(state, reader);
    await reader.close();
    await store.close();
    const program = new URL("tebibyte-memory.ts", import.meta.url).pathname;
    const words = ["--expose-gc", "--disable-warning=ExperimentalWarning", program, directory];
    const { stdout } = await promisify(execFile)(process.execPath, words);
    return JSON.parse(stdout) as MemoryFigures;
  } finally {
    await rm(directory, { recursive: true });
  }
}

interface Report {
  readonly shards: number;
  readonly groups: number;
  readonly changedShards: number;
  readonly memory: MemoryFigures;
  readonly records: RecordFigures;
  readonly lists: { readonly [when in "first" | "day"]: ReturnType<typeof listTraffic> };
  readonly audit: ReturnType<typeof auditTraffic>;
  readonly repairBytes: number;
}

function print(report: Report): void {
  const { shards, groups, changedShards, records, lists, audit, repairBytes } = report;
  const sentBytes = changedShards * SHARD_BYTES;
  // The owner's site asks three holders; a holder is asked by it and by two others, and asks two.
  const rows: readonly (readonly [string, number])[] = [
    ["owner sends: lists of the first run", lists.first.upBytes],
    ["owner gets: receipts of the first run", lists.first.downBytes],
    ["owner sends a day: lists", lists.day.upBytes],
    ["owner gets a day: receipts", lists.day.downBytes],
    ["owner sends a day: shards that changed", sentBytes],
    ["owner sends a day: audit questions", 3 * audit.askedBytes],
    ["owner gets a day: audit answers", 3 * audit.answeredBytes],
    ["holder sends a day: audits", 3 * audit.answeredBytes + 2 * audit.askedBytes],
    ["holder sends: a repair, two sources together", repairBytes],
  ];
  console.log(`${shards} shards in ${groups} groups`);
  const { placeRecords, largestPlaceBytes, holdRecords, largestHoldBytes } = records;
  console.log(
    `records where copies are to be: ${placeRecords}, at most ${largestPlaceBytes} bytes`,
  );
  console.log(`records of one holder: ${holdRecords}, at most ${largestHoldBytes} bytes`);
  const { restBytes, stateBytes, workBytes, roundsBytes, residentBytes, openItems } = report.memory;
  console.log(`memory of the daemon for its lists: ${mib(restBytes)} MiB`);
  console.log(`more for the state with its records: ${mib(stateBytes)} MiB`);
  console.log(`more while it reads one of them: ${mib(workBytes)} MiB`);
  console.log(`more while three audits are open (${openItems} questions): ${mib(roundsBytes)} MiB`);
  console.log(`the whole process then: ${mib(residentBytes)} MiB`);
  for (const [what, sizeBytes] of rows) {
    const seconds = sizeBytes / LINE_BYTES_PER_SECOND;
    const share = ((100 * seconds) / DAY_SECONDS).toFixed(2);
    console.log(`${what}: ${mib(sizeBytes)} MiB, ${share} % of a day at 1 Mbit/s`);
  }
  const { firstBytes, dayBytes } = records;
  console.log(`each member gets: records of the first run: ${kib(firstBytes)} KiB`);
  console.log(`each member gets a day: records of a run and of audits: ${kib(dayBytes)} KiB`);
  console.log(`holder reads a day for one asker: ${mib(audit.readBytes)} MiB from its own disk`);
}

function kib(sizeBytes: number): string {
  return (sizeBytes / 1024).toFixed(1);
}

function mib(sizeBytes: number): string {
  return (sizeBytes / 1024 ** 2).toFixed(1);
}

process.exitCode = await main();
