import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { Pace } from "./pace.ts";

async function taken(time: FakeTime, pace: Pace, tokens: number): Promise<number> {
  const startMs = time.nowMs;
  await time.resolve(pace.take(tokens));
  return time.nowMs - startMs;
}

test("a burst passes at once, what is beyond waits as long as its tokens need to come back", async () => {
  const time = new FakeTime();
  const pace = new Pace(time.clock(), { perSecond: 10, burst: 100 });
  assert.equal(await taken(time, pace, 100), 0);
  assert.equal(await taken(time, pace, 5), 500);
  assert.equal(await taken(time, pace, 1), 100);
  await time.advance(5_000);
  assert.equal(await taken(time, pace, 50), 0);
});

test("several that wait are served one after another, and rest saves no more than the burst", async () => {
  const time = new FakeTime();
  const pace = new Pace(time.clock(), { perSecond: 10, burst: 10 });
  await time.advance(3_600_000);
  const startMs = time.nowMs;
  const done: number[] = [];
  const all = Array.from({ length: 4 }, () =>
    pace.take(10).then(() => done.push(time.nowMs - startMs)),
  );
  await time.resolve(Promise.all(all));
  assert.deepEqual(done, [0, 1_000, 2_000, 3_000]);
});
