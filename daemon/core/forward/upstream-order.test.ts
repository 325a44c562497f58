import assert from "node:assert/strict";
import { test } from "node:test";
import {
  afterAnswer,
  afterFailure,
  hedgeMs,
  orderUpstreams,
  retryMs,
  type UpstreamHealth,
} from "./upstream-order.ts";

const fresh: UpstreamHealth = {
  ...{ encrypted: true, roundTripMs: undefined, measuredAtMs: 0, suspected: false, failures: 0 },
};
const plain: UpstreamHealth = { ...fresh, encrypted: false };
const took = (health: UpstreamHealth, ms: number, nowMs = 0) => afterAnswer(health, ms, nowMs);

test("encrypted ones come first, however slow they are", () => {
  assert.deepEqual(orderUpstreams([took(plain, 1), took(fresh, 900)], 0), [[1], [0]]);
});

test("among equals the nearest comes first, and one that is not known yet before all", () => {
  assert.deepEqual(orderUpstreams([took(fresh, 90), took(fresh, 20)], 0), [[1, 0]]);
  assert.deepEqual(orderUpstreams([took(fresh, 20), fresh], 0), [[1, 0]]);
});

test("one that was slow once gets another chance", () => {
  const [slow, fast] = [took(fresh, 900, 0), took(fresh, 50, 2_000_000)];
  assert.deepEqual(orderUpstreams([slow, took(fresh, 50, 1000)], 1000), [[1, 0]]);
  assert.deepEqual(orderUpstreams([slow, fast], 2_000_000), [[0, 1]]);
});

test("one in doubt comes last, and one that is gone not at all", () => {
  const doubted = { ...took(fresh, 1), suspected: true };
  assert.deepEqual(orderUpstreams([doubted, took(fresh, 900)], 0), [[1, 0]]);
  assert.deepEqual(orderUpstreams([afterFailure(fresh), took(fresh, 900)], 0), [[1]]);
  assert.deepEqual(orderUpstreams([afterFailure(fresh), plain], 0), [[1]]);
  assert.deepEqual(orderUpstreams([afterFailure(fresh), afterFailure(plain)], 0), []);
});

test("it is looked for again after longer and longer, and an answer forgives all", () => {
  let health = fresh;
  const waits: number[] = [];
  for (let times = 0; times < 6; times++) {
    health = afterFailure(health);
    waits.push(retryMs(health));
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 10_000, 10_000]);
  assert.deepEqual(took(health, 50, 9), { ...fresh, roundTripMs: 50, measuredAtMs: 9 });
});

test("the next is asked when the first takes longer than it does", () => {
  assert.deepEqual(
    [undefined, 1, 100, 5000].map((roundTripMs) => hedgeMs({ ...fresh, roundTripMs })),
    [600, 100, 250, 600],
  );
});
