import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isWorthChanging, orderSources, type Source } from "./source-choice.ts";

const source = (id: string, underWay = 0, bytesPerSecond?: number, isDistrusted = false) =>
  ({ id, underWay, bytesPerSecond, isDistrusted }) satisfies Source;

describe("which holder is asked", () => {
  it("tries those whose speed is not known, the least busy first", () => {
    const sources = [source("a", 2), source("b", 0, 1e6), source("c", 1)];
    assert.deepEqual(orderSources(sources), ["c", "a", "b"]);
  });

  it("gives a slow one its share only", () => {
    const given = { fast: 0, slow: 0 };
    for (let shard = 0; shard < 11; shard++) {
      const sources = [source("fast", given.fast, 1e6), source("slow", given.slow, 1e5)];
      given[orderSources(sources)[0] as keyof typeof given]++;
    }
    assert.deepEqual(given, { fast: 10, slow: 1 });
  });

  it("asks one that lied last", () => {
    const sources = [source("liar", 0, 1e9, true), source("slow", 5, 10)];
    assert.deepEqual(orderSources(sources), ["slow", "liar"]);
  });
});

describe("leaving a holder in the middle of a shard", () => {
  it("is for one that is known to be much faster", () => {
    const slow = source("slow", 1, 1e4);
    assert.ok(isWorthChanging(slow, [source("fast", 0, 1e6)]));
    assert.ok(!isWorthChanging(slow, [source("fast", 99, 1e6)]));
    assert.ok(!isWorthChanging(slow, [source("alike", 0, 2e4)]));
    assert.ok(!isWorthChanging(slow, [source("unknown")]));
    assert.ok(!isWorthChanging(slow, [source("liar", 0, 1e9, true)]));
    assert.ok(!isWorthChanging(source("new", 1), [source("fast", 0, 1e6)]));
  });
});
