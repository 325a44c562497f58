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
