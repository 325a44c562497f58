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
  work.startIn(10);
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
