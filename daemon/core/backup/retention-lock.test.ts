import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DAY_MS, nextTerm, SHORTENING_MS, type LockTerm } from "./retention-lock.ts";

test("a longer lock counts at once, a shorter one after fourteen days", () => {
  let term = nextTerm(undefined, 30, false, 0);
  assert.deepEqual(term, { days: 30, pending: null });
  term = nextTerm(term, 60, false, DAY_MS);
  assert.deepEqual(term, { days: 60, pending: null });
  term = nextTerm(term, 0, false, 2 * DAY_MS);
  assert.deepEqual(term, { days: 60, pending: { days: 0, sinceMs: 2 * DAY_MS } });
  assert.equal(nextTerm(term, 0, false, 16 * DAY_MS - 1)?.days, 60);
  assert.deepEqual(nextTerm(term, 0, false, 16 * DAY_MS), { days: 0, pending: null });
});

test("an objection starts the wait anew, and so does another number", () => {
  const term: LockTerm = { days: 60, pending: { days: 10, sinceMs: 0 } };
  assert.deepEqual(nextTerm(term, 10, true, 20 * DAY_MS), { days: 60, pending: null });
  const other = nextTerm(term, 5, false, 13 * DAY_MS);
  assert.deepEqual(other?.pending, { days: 5, sinceMs: 13 * DAY_MS });
});

test("an owner or site that was revoked ends no lock", () => {
  const term: LockTerm = { days: 60, pending: { days: 0, sinceMs: 0 } };
  assert.deepEqual(nextTerm(term, undefined, false, 100 * DAY_MS), { days: 60, pending: null });
});

test("no lock falls before the wait is over, whatever is said in between", () => {
  const said = fc.record({
    days: fc.option(fc.nat(90), { nil: undefined }),
    isObjected: fc.boolean(),
    stepMs: fc.nat(5 * DAY_MS),
  });
  fc.assert(
    fc.property(fc.array(said, { maxLength: 40 }), (steps) => {
      let nowMs = 0;
      let term: LockTerm | undefined = { days: 60, pending: null };
      /** Since when each look saw a lower number, without a break. */
      let lowerSinceMs: number | undefined;
      for (const { days, isObjected, stepMs } of steps) {
        nowMs += stepMs;
        const before: number = term?.days ?? 0;
        const wantsLess = days !== undefined && days < before && !isObjected;
        if (!wantsLess) lowerSinceMs = undefined;
        else lowerSinceMs ??= nowMs;
        term = nextTerm(term, days, isObjected, nowMs);
        if ((term?.days ?? 0) < before) {
          assert.ok(lowerSinceMs !== undefined && nowMs - lowerSinceMs >= SHORTENING_MS);
          lowerSinceMs = undefined;
        }
      }
    }),
  );
});
