/** What every clock must do, shown for the fake one and the real one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../daemon/core/clock.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { FakeTime } from "../fakes/clock.ts";

const TEN_YEARS_MS = 10 * 365 * 24 * 3_600_000;

function clockSuite(
  name: string,
  make: () => { clock: Clock; pass: (ms: number) => Promise<void> },
) {
  test(`${name}: calls back in order of delay, not of asking`, async () => {
    const { clock, pass } = make();
    const called: string[] = [];
    clock.after(30, () => called.push("late"));
    clock.after(5, () => called.push("early"));
    await pass(120);
    assert.deepEqual(called, ["early", "late"]);
  });

  test(`${name}: calls back once, never before the delay, and not when cancelled`, async () => {
    const { clock, pass } = make();
    const startMs = clock.monotonicMs();
    const calledAfterMs: number[] = [];
    clock.after(20, () => calledAfterMs.push(clock.monotonicMs() - startMs));
    const cancel = clock.after(10, () => assert.fail("was cancelled"));
    cancel();
    cancel();
    await pass(150);
    assert.equal(calledAfterMs.length, 1);
    // Node's timers round to whole milliseconds.
    assert.ok((calledAfterMs[0] ?? 0) >= 19, `${calledAfterMs[0]} ms`);
  });

  test(`${name}: both times move on, and chance does not repeat itself`, async () => {
    const { clock, pass } = make();
    const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()];
    await pass(20);
    assert.ok(clock.monotonicMs() > monotonicMs);
    assert.ok(clock.wallMs() > wallMs);
    assert.equal(clock.random(16).length, 16);
    assert.notDeepEqual(clock.random(16), clock.random(16));
  });
}

clockSuite("fake", () => {
  const time = new FakeTime();
  return { clock: time.clock(), pass: (ms) => time.advance(ms) };
});

clockSuite("system", () => ({
  clock: systemClock,
  pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}));

test("fake: one seed gives one run, and clocks of one time may differ in wall time", async () => {
  const draw = (): Uint8Array => new FakeTime(7).clock().random(8);
  assert.deepEqual(draw(), draw());
  const time = new FakeTime();
  const [right, wrong] = [time.clock(), time.clock(-3_600_000)];
  await time.advance(1000);
  assert.equal(right.wallMs() - wrong.wallMs(), 3_600_000);
  assert.equal(right.monotonicMs(), wrong.monotonicMs());
  const beforeMs = wrong.monotonicMs();
  wrong.jump(-TEN_YEARS_MS);
  assert.equal(right.wallMs() - wrong.wallMs(), TEN_YEARS_MS + 3_600_000);
  assert.equal(wrong.monotonicMs(), beforeMs, "waiting and ages go on as before");
});
