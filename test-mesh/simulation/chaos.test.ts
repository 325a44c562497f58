/**
 * First unlimited faults, then healing: whatever happened, every invariant of the state holds.
 * Fresh seeds are for scripts/simulate, by hand and often.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RARE } from "./rare.ts";
import { runSeeds } from "./run-seeds.ts";
import { neverReached } from "./sometimes.ts";

/** The first ones in order; then those in which something once did not hold. */
const SEEDS: readonly number[] = Array.from({ length: 25 }, (_, index) => 101 + index);

test("every invariant holds after any faults, in 25 fixed seeds", async (t) => {
  const violations: string[] = [];
  const { simulatedMs, reached } = await runSeeds(SEEDS, ({ seed, violation }) => {
    if (violation !== undefined) violations.push(`seed ${seed}: ${violation}`);
  });
  t.diagnostic(`${(simulatedMs / 3_600_000).toFixed(1)} simulated hours`);
  t.diagnostic([...reached].map(([what, times]) => `${what} ${times}`).join(", "));
  assert.deepEqual(violations, []);
  assert.deepEqual(neverReached(RARE, reached), [], "the runs together have to reach these");
});
