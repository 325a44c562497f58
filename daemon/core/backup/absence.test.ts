import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { awayAfter, isSilent } from "./absence.ts";

const HOUR = 3_600_000;
const PATIENCE = 72 * HOUR;

/** Whether a site was ever silent that is there and away in turns. */
function everSilent(turns: number, thereMs: () => number, awayMs: () => number): boolean {
  let counted = 0;
  let was = false;
  for (let turn = 0; turn < turns; turn++) {
    counted = awayAfter(counted, awayMs(), false, PATIENCE);
    was ||= isSilent(counted, PATIENCE);
    counted = awayAfter(counted, thereMs(), true, PATIENCE);
  }
  return was;
}

test("three days without a word are silence", () => {
  assert.ok(!isSilent(awayAfter(0, PATIENCE - 1, false, PATIENCE), PATIENCE));
  assert.ok(isSilent(awayAfter(PATIENCE - 1, 1, false, PATIENCE), PATIENCE));
});

test("a box that is off at night, at work or but for an hour a day is never silent", () => {
  for (const awayHours of [8, 16, 22.9]) {
    const there = (): number => (24 - awayHours) * HOUR;
    assert.ok(!everSilent(365, there, () => awayHours * HOUR), String(awayHours));
  }
  const random = new SeededRandom(11);
  const hours = (from: number, to: number) => (): number => random.between(from, to) * HOUR;
  assert.ok(!everSilent(1000, hours(2, 10), hours(1, 40)));
});

test("a box that is away for a long weekend is not silent", () => {
  assert.ok(
    !everSilent(
      50,
      () => 4 * 24 * HOUR,
      () => 71 * HOUR,
    ),
  );
});

test("one that shows itself for a moment every 71 hours is silent", () => {
  assert.ok(
    everSilent(
      2,
      () => 1000,
      () => 71 * HOUR,
    ),
  );
  assert.ok(
    everSilent(
      20,
      () => HOUR,
      () => 71 * HOUR,
    ),
  );
});

test("who was silent counts again after an hour and a half, however long it was away", () => {
  const gone = awayAfter(awayAfter(0, PATIENCE, false, PATIENCE), 1000 * PATIENCE, false, PATIENCE);
  const soon = awayAfter(gone, 1.5 * HOUR - 1, true, PATIENCE);
  assert.ok(isSilent(awayAfter(soon, 1, false, PATIENCE), PATIENCE));
  assert.ok(!isSilent(awayAfter(gone, 1.5 * HOUR + 1, true, PATIENCE), PATIENCE));
  // It may go for a moment meanwhile.
  const part = awayAfter(awayAfter(gone, HOUR, true, PATIENCE), 60_000, false, PATIENCE);
  assert.ok(!isSilent(awayAfter(part, 0.6 * HOUR, true, PATIENCE), PATIENCE));
});
