import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import { RunningTime } from "./running-time.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

test("counts what the daemon runs, over restarts, whatever the wall clock does", async () => {
  const time = new FakeTime();
  const clock = time.clock();
  const disk = new FakeDisk();
  const first = await RunningTime.open(disk.open(), clock);
  await time.advance(DAY_MS);
  for (const jumpMs of [3650 * DAY_MS, -20_000 * DAY_MS]) {
    clock.jump(jumpMs);
    await time.advance(MINUTE_MS);
  }
  assert.equal(first.nowMs(), DAY_MS + 2 * MINUTE_MS);
  await first.stop();
  // Nothing counts while it is down.
  await time.advance(30 * DAY_MS);
  const second = await RunningTime.open(disk.open(), time.clock());
  assert.equal(second.nowMs(), DAY_MS + 2 * MINUTE_MS);
  await second.stop();
});

test("a crash makes it late by ten minutes at most, and never early", async () => {
  const time = new FakeTime();
  const disk = new FakeDisk();
  let ranMs = 0;
  for (let start = 0; start < 20; start++) {
    const running = await RunningTime.open(disk.open(), time.clock());
    assert.ok(running.nowMs() <= ranMs);
    assert.ok(running.nowMs() >= ranMs - start * 10 * MINUTE_MS);
    const stepMs = 47 * MINUTE_MS + start;
    await time.advance(stepMs);
    ranMs += stepMs;
    assert.ok(running.nowMs() <= ranMs);
    disk.catchUp();
  }
});

test("a step of the clock that cannot be counts as twenty minutes", async () => {
  let nowMs = 0;
  const clock = { ...new FakeTime().clock(), monotonicMs: () => nowMs };
  const running = await RunningTime.open(new FakeDisk().open(), clock);
  nowMs += 400 * DAY_MS;
  assert.equal(running.nowMs(), 20 * MINUTE_MS);
});
