import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SiteId } from "../../../protocol/ids.ts";
import { isCapsuleSafe, isEpochOver, lateEpochs, nextEpoch } from "./key-epochs.ts";

const DAY_MS = 86_400_000;

describe("a key epoch", () => {
  it("ends with the run that used it, or after its time", () => {
    assert.equal(isEpochOver({ sinceMs: 0, isUsed: false }, "run", 99 * DAY_MS), false);
    assert.equal(isEpochOver({ sinceMs: 0, isUsed: true }, "run", 1), true);
    assert.equal(isEpochOver({ sinceMs: DAY_MS, isUsed: true }, DAY_MS, 2 * DAY_MS - 1), false);
    assert.equal(isEpochOver({ sinceMs: DAY_MS, isUsed: false }, DAY_MS, 2 * DAY_MS), true);
  });

  it("does not last for ever because the clock was ahead when it began", () => {
    assert.equal(isEpochOver({ sinceMs: 2 * DAY_MS, isUsed: true }, DAY_MS, DAY_MS), false);
    assert.equal(isEpochOver({ sinceMs: 3000 * DAY_MS, isUsed: true }, DAY_MS, DAY_MS), true);
  });

  it("has a number above all that are known and listed", () => {
    assert.equal(nextEpoch([], 0), 1);
    assert.equal(nextEpoch([1, 2], 0), 3);
    assert.equal(nextEpoch([1, 2], 9), 10);
  });

  it("gives its key up on as many signatures as copies are wanted, and never on none", () => {
    const sites = (count: number): Set<SiteId> =>
      new Set(Array.from({ length: count }, (_, at) => String(at) as SiteId));
    assert.equal(isCapsuleSafe(sites(2), 3), false);
    assert.equal(isCapsuleSafe(sites(3), 3), true);
    assert.equal(isCapsuleSafe(sites(0), 0), false);
  });
});

describe("a key whose epoch is over", () => {
  it("is late a day after that, and the newest never is", () => {
    const here = [
      { epoch: 1, sinceMs: 0 },
      { epoch: 3, sinceMs: 10 * DAY_MS },
      { epoch: 4, sinceMs: 20 * DAY_MS },
    ];
    assert.deepEqual(lateEpochs(here, 11 * DAY_MS - 1), []);
    assert.deepEqual(lateEpochs(here, 11 * DAY_MS), [1]);
    assert.deepEqual(lateEpochs(here, 1000 * DAY_MS), [1, 3]);
    assert.deepEqual(lateEpochs(here.slice(2), 1000 * DAY_MS), []);
    assert.deepEqual(lateEpochs([], 1000 * DAY_MS), []);
  });
});
