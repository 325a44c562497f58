import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { forgotten, type KeepRule } from "./forget.ts";

const DAY_MS = 86_400_000;
const NOW_MS = 20_000 * DAY_MS;
const everyDay = Array.from({ length: 100 }, (_none, day) => ({
  atMs: NOW_MS - (99 - day) * DAY_MS,
}));
const within = (days: number, everyDays: KeepRule["everyDays"] = 0): KeepRule => ({
  withinMs: days * DAY_MS,
  everyDays,
});

test("keeps what is younger, and of longer ago the first and last of each week", () => {
  assert.equal(forgotten(everyDay, [within(29)], NOW_MS).length, 70);
  const weekly = forgotten(everyDay, [within(29), within(1000, 7)], NOW_MS);
  assert.ok(weekly.length > 45 && weekly.length < 55, String(weekly.length));
  assert.deepEqual(forgotten(everyDay, [], NOW_MS), []);
});

test("a clock ten years ahead or back, and snapshots dated ahead, push nothing out", () => {
  const honest = forgotten(everyDay, [within(29)], NOW_MS);
  assert.deepEqual(forgotten(everyDay, [within(29)], NOW_MS + 3650 * DAY_MS), honest);
  assert.deepEqual(forgotten(everyDay, [within(29)], 0), []);
  const planted = [...everyDay, { atMs: NOW_MS + 3650 * DAY_MS }];
  assert.deepEqual(forgotten(planted, [within(29)], NOW_MS), honest);
});

test("no number of planted snapshots makes one be forgotten that is young enough", () => {
  const planted = fc.array(fc.integer({ min: 0, max: NOW_MS + 400 * DAY_MS }), { maxLength: 60 });
  fc.assert(
    fc.property(planted, fc.nat(98), fc.nat(90), (times, at, days) => {
      const snapshots = [
        ...everyDay.slice(0, at + 1),
        ...times.map((atMs) => ({ atMs })),
        ...everyDay.slice(at + 1),
      ];
      const gone = new Set(forgotten(snapshots, [within(days), within(300, 1)], NOW_MS));
      for (const snapshot of everyDay) {
        if (NOW_MS - snapshot.atMs <= days * DAY_MS) assert.ok(!gone.has(snapshot));
      }
    }),
  );
});
