/**
 * Runs the simulation of faults with many seeds, in two processes.
 *
 *   simulate.ts [--seeds N] [--seed S] [--json]
 *
 * It ends with one summary line, and with 1 when an invariant did not hold, when a run hung, or when the
 * runs together never reached something that they have to reach.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { runSeeds } from "./run-seeds.ts";
import type { SeedResult } from "./run-seed.ts";
import { RARE } from "./rare.ts";
import { neverReached } from "./sometimes.ts";

const USAGE = `usage: scripts/simulate [--seeds N] [--seed S] [--json]
  --seeds N   N new seeds, 1 to 100000; default 25
  --seed S    one seed again, as a failed run printed it
  --json      one JSON line a seed, and one for the summary`;

const options = {
  seeds: { type: "string", default: "25" },
  seed: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

function readArguments() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return usageError(error instanceof Error ? error.message : String(error));
  }
}

function usageError(message: string): never {
  console.error(`error E-USAGE: ${message}. Nothing was run.\n${USAGE}`);
  process.exit(2);
}

function whole(text: string, most: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) return value;
  return usageError(`${text} is no number from 0 to ${most}`);
}

const given = readArguments();
if (given.help) {
  console.log(USAGE);
  process.exit(0);
}
const seeds =
  given.seed === undefined
    ? Array.from({ length: whole(given.seeds, 100_000) }, () => randomInt(2 ** 32))
    : [whole(given.seed, 2 ** 32 - 1)];

const startedMs = performance.now();
const summary = await runSeeds(seeds, (result) => show(result));
const seconds = (performance.now() - startedMs) / 1000;
const hours = summary.simulatedMs / 3_600_000;
// One seed alone need not meet everything.
const never = given.seed === undefined ? neverReached(RARE, summary.reached) : [];

if (given.json) {
  const { failed } = summary;
  const reached = Object.fromEntries(summary.reached);
  console.log(JSON.stringify({ seeds: seeds.length, failed, never, hours, seconds, reached }));
} else {
  for (const what of never) console.log(`never reached: ${what}`);
  const { failed } = summary;
  console.log(
    `${seeds.length} seeds, ${failed.length} failed${failed.length > 0 ? ` (${failed.join(" ")})` : ""}, ` +
      `${never.length} never reached, ${hours.toFixed(1)} simulated hours in ${seconds.toFixed(0)} s`,
  );
}
process.exitCode = summary.failed.length + never.length > 0 ? 1 : 0;

function show(result: SeedResult): void {
  if (given.json) console.log(JSON.stringify(result));
  else if (result.violation !== undefined) {
    console.log(`seed ${result.seed} failed: ${result.violation}`);
    console.log(`again with: scripts/simulate --seed ${result.seed}`);
  }
}
