import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { RepeatedWork } from "./repeated-work.ts";

test("work is done again as long after its end as it says, until it is stopped", async () => {
  const time = new FakeTime(1);
  const clock = time.clock();
  const begun: number[] = [];
  const work = new RepeatedWork(clock, async () => {
    begun.push(time.nowMs);
    await new Promise<void>((resolve) => clock.after(30, resolve));
    return 100 * begun.length;
  });
  work.within(10);
  await time.advance(400);
  // 10, then 10 + 30 + 100, then 140 + 30 + 200.
  assert.deepEqual(
    begun.map((atMs) => Math.round(atMs / 10)),
    [1, 14, 37],
  );
  assert.equal(work.isStopped, false);
  await time.resolve(work.stop());
  assert.equal(work.isStopped, true);
  await time.advance(10_000);
  assert.equal(begun.length, 3);
});

test("the earliest moment that was asked for counts, and no request puts it off", async () => {
  const time = new FakeTime(1);
  const clock = time.clock();
  const begun: number[] = [];
  const work = new RepeatedWork(clock, async () => {
    begun.push(time.nowMs);
    return Infinity;
  });
  for (let asked = 0; asked < 20; asked++) {
    work.within(500);
    await time.advance(100);
  }
  assert.deepEqual(begun, [500, 1000, 1500, 2000]);
  work.within(500);
  work.within(50);
  work.within(700);
  await time.advance(1000);
  assert.deepEqual(begun.slice(4), [2050]);
  await work.stop();
});

test("what is asked for while it is being done is done once more afterwards, never beside it", async () => {
  const time = new FakeTime(1);
  const clock = time.clock();
  const begun: number[] = [];
  const work = new RepeatedWork(clock, async () => {
    begun.push(time.nowMs);
    await new Promise<void>((resolve) => clock.after(300, resolve));
    return 5000;
  });
  work.within(0);
  await time.advance(100);
  work.within(10);
  work.within(20);
  await time.advance(100);
  assert.deepEqual(begun, [0]);
  await time.advance(1000);
  assert.deepEqual(begun, [0, 300]);
  work.within(10);
  await time.resolve(work.stop());
  await time.advance(10_000);
  assert.equal(begun.length, 2);
});
