import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { BulkBudget } from "./bulk-budget.ts";
import { MeshError } from "./error.ts";

const FLOW = { urgency: "spread", owner: "owner", set: "set" } as const;

/** A sender that always has bulk, on a line that passes pieces one after another. */
async function run(options: {
  readonly bytesPerSecond: number;
  readonly roundTripMs: number;
  readonly seconds: number;
}) {
  const time = new FakeTime();
  const clock = time.clock();
  const budget = new BulkBudget(clock);
  let freeAtMs = 0;
  let passedBytes = 0;
  let worstDelayMs = 0;
  let running = true;
  const settleMs = (options.seconds * 1000) / 2;
  const sending = (async () => {
    while (running) {
      const sizeBytes = budget.pieceBytes;
      await budget.take(sizeBytes, FLOW);
      const nowMs = clock.monotonicMs();
      freeAtMs = Math.max(freeAtMs, nowMs) + (sizeBytes / options.bytesPerSecond) * 1000;
      if (nowMs > settleMs) worstDelayMs = Math.max(worstDelayMs, freeAtMs - nowMs);
      clock.after(freeAtMs - nowMs + options.roundTripMs, () => {
        if (nowMs > settleMs) passedBytes += sizeBytes;
        budget.settled(sizeBytes);
      });
    }
  })();
  await time.advance(options.seconds * 1000);
  running = false;
  const capBytes = budget.capBytes;
  budget.close(new MeshError("E-MESH-GONE", "over"));
  await sending.catch(() => undefined);
  return { rate: passedBytes / (options.seconds / 2), worstDelayMs, capBytes };
}

for (const [bytesPerSecond, roundTripMs] of [
  [125_000, 40],
  [125_000, 200],
  [40_000, 60],
  [1_000_000, 30],
] as const) {
  test(`${bytesPerSecond} B/s at ${roundTripMs} ms: the line is full and waits half a second`, async () => {
    const { rate, worstDelayMs } = await run({ bytesPerSecond, roundTripMs, seconds: 40 });
    assert.ok(rate > bytesPerSecond * 0.9, `${rate} B/s`);
    // 40 kB/s needs 0.8 s for the least that may be under way.
    assert.ok(
      worstDelayMs < Math.max(750, (48 * 1024 * 1000) / bytesPerSecond),
      `${worstDelayMs} ms`,
    );
  });
}

test("a fast line is not held back", async () => {
  const { rate, capBytes } = await run({ bytesPerSecond: 100e6, roundTripMs: 2, seconds: 2 });
  assert.ok(rate > 50e6, `${rate} B/s with a cap of ${capBytes}`);
});

test("a peer that acknowledges nothing ends the wait after 60 s", async () => {
  const time = new FakeTime();
  const budget = new BulkBudget(time.clock());
  for (let under = 0; under < budget.capBytes; under += 16_384) await budget.take(16_384, FLOW);
  const ended = assert.rejects(budget.take(1, FLOW), { code: "E-MESH-TIMEOUT" });
  await time.advance(61_000);
  await ended;
});

test("the end of the link ends every wait", async () => {
  const budget = new BulkBudget(new FakeTime().clock());
  await budget.take(64 * 1024, FLOW);
  const waiting = assert.rejects(budget.take(1, FLOW), { code: "E-MESH-GONE" });
  budget.close(new MeshError("E-MESH-GONE", "gone"));
  await waiting;
  await assert.rejects(budget.take(1, FLOW), { code: "E-MESH-GONE" });
});

test("the cap stays under what the line is said to carry in half a second", async () => {
  const budget = new BulkBudget(new FakeTime().clock());
  budget.limitTo(40_000);
  assert.equal(budget.capBytes, 40_000);
  budget.limitTo(1000);
  assert.equal(budget.capBytes, 32 * 1024, "less would be no transfer");
});

test("of two data sets on one link each gets half, however many channels it has", async () => {
  const time = new FakeTime();
  const budget = new BulkBudget(time.clock());
  const had = new Map<string, number>();
  let running = true;
  const channels = ["many", "many", "many", "many", "one"].map(async (set) => {
    while (running) {
      await budget.take(16_384, { urgency: "spread", owner: set, set });
      had.set(set, (had.get(set) ?? 0) + 16_384);
      time.clock().after(100, () => budget.settled(16_384));
    }
  });
  await time.advance(20_000);
  running = false;
  await time.advance(1000);
  await Promise.all(channels);
  const [many, one] = [had.get("many") ?? 0, had.get("one") ?? 0];
  assert.ok(many / one < 1.1, `${many} ${one}`);
});
