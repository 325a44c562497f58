import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { FakeHost } from "../../test-mesh/fakes/host.ts";
import { silentLogger } from "../observe/log.ts";
import { DiskGuard, RESERVE_BYTES } from "./disk-guard.ts";

async function guarded(freeBytes: number) {
  const host = new FakeHost();
  const setFree = (bytes: number): void => {
    host.disk = { totalBytes: 2 ** 40, freeBytes: bytes };
  };
  setFree(freeBytes);
  const time = new FakeTime();
  const options = { directory: "/data", host, clock: time.clock(), log: silentLogger };
  return { guard: await DiskGuard.start(options), setFree, time };
}

test("takes a write that leaves the reserve, refuses one that would not", async () => {
  const { guard } = await guarded(RESERVE_BYTES + 100);
  await guard.require(100);
  await assert.rejects(guard.require(101), { code: "E-NO-SPACE" });
  assert.equal(guard.status().full, false);
});

test("notices by itself that the disk fills up, and that there is room again", async () => {
  const { guard, setFree, time } = await guarded(2 * RESERVE_BYTES);
  setFree(RESERVE_BYTES - 1);
  await time.advance(5000);
  assert.deepEqual(guard.status(), { full: true, freeBytes: RESERVE_BYTES - 1 });
  await assert.rejects(guard.require(0), { code: "E-NO-SPACE" });
  setFree(2 * RESERVE_BYTES);
  await time.advance(5000);
  await guard.require(RESERVE_BYTES);
});

test("takes a write as soon as there is room, however short ago it looked", async () => {
  const { guard, setFree } = await guarded(0);
  await assert.rejects(guard.require(1), { code: "E-NO-SPACE" });
  setFree(2 * RESERVE_BYTES);
  await guard.require(1);
});

test("one look serves all that come together, and they go on in their order", async () => {
  const host = new FakeHost();
  host.disk = { totalBytes: 2 ** 40, freeBytes: 2 * RESERVE_BYTES };
  const answers: (() => void)[] = [];
  const slow = {
    diskSpace: async (path: string) => {
      await new Promise<void>((resolve) => answers.push(resolve));
      return host.diskSpace(path);
    },
  };
  const time = new FakeTime();
  const options = { directory: "/data", host: slow, clock: time.clock(), log: silentLogger };
  const starting = DiskGuard.start(options);
  answers.shift()?.();
  const guard = await starting;
  await time.advance(1000);
  const order: number[] = [];
  const all = [1, 2, 3].map((n) => guard.require(n).then(() => order.push(n)));
  for (const answer of answers.splice(0).toReversed()) {
    answer();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(all);
  assert.deepEqual(order, [1, 2, 3]);
  guard.stop();
});

test("looks again before a write, and stops looking when stopped", async () => {
  const { guard, setFree, time } = await guarded(2 * RESERVE_BYTES);
  await time.advance(1000);
  setFree(0);
  await assert.rejects(guard.require(1), { code: "E-NO-SPACE" });
  guard.stop();
  setFree(2 * RESERVE_BYTES);
  await time.advance(60_000);
  assert.equal(guard.status().full, true);
});
