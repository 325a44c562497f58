import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DAY_MS } from "./retention-lock.ts";
import { MAX_PEAKS, nextPeaks, shrunk, type Peak } from "./shrinking.ts";

/** Looks at these sizes, one a day; the day (from 0) on which a person is first asked. */
function askedOnDay(sizes: readonly number[], lockDays = 30): number | undefined {
  let peaks: readonly Peak[] = [];
  for (const [day, bytes] of sizes.entries()) {
    const nowMs = day * DAY_MS;
    peaks = nextPeaks(peaks, bytes, lockDays, nowMs);
    if (shrunk(peaks, bytes, nowMs) !== undefined) return day;
  }
  return undefined;
}

test("five lists, each 19 % smaller, are asked about at the second", () => {
  assert.equal(askedOnDay([100, 81, 65.6, 53.1, 43, 34.9]), 2);
  assert.equal(askedOnDay([100, 0]), 1);
  assert.equal(askedOnDay([100, 81]), undefined);
  assert.equal(askedOnDay([0, 0, 100, 200, 180]), undefined);
});

test("what shrinks slower than the lock asks nobody", () => {
  const slow = Array.from({ length: 400 }, (_none, day) => 1000 * 0.996 ** day);
  assert.equal(askedOnDay(slow, 30), undefined);
  assert.equal(askedOnDay(slow, 90), 56);
});

test("few peaks stand for many days, and none is forgotten before the lock is over", () => {
  const size = fc.record({ bytes: fc.nat(1000), stepMs: fc.nat(3 * DAY_MS) });
  fc.assert(
    fc.property(fc.array(size, { minLength: 1, maxLength: 300 }), fc.nat(400), (looks, lock) => {
      let nowMs = 0;
      let peaks: readonly Peak[] = [];
      const seen: Peak[] = [];
      for (const { bytes, stepMs } of looks) {
        nowMs += stepMs;
        peaks = nextPeaks(peaks, bytes, lock, nowMs);
        seen.push({ atMs: nowMs, bytes });
        assert.ok(peaks.length <= MAX_PEAKS);
        const within = seen.filter(({ atMs }) => nowMs - atMs <= lock * DAY_MS);
        const largest = Math.max(...within.map((peak) => peak.bytes));
        assert.ok(Math.max(...peaks.map((peak) => peak.bytes)) >= largest);
      }
    }),
  );
});
