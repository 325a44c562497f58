import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../../daemon/observe/log.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { FakeDisk } from "../fakes/store.ts";
import { storeSuite, type StorePlace } from "./store-suite.ts";

const scratch = await mkdtemp(join(tmpdir(), "pleach-store-"));
after(() => rm(scratch, { recursive: true, force: true }));

let places = 0;

function directory(): string {
  return join(scratch, `place-${places++}`);
}

function levelPlace(at = directory()): StorePlace {
  return { open: () => openLevelStore({ directory: at, log: silentLogger, ballastBytes: 4096 }) };
}

storeSuite("fake", async () => {
  const disk = new FakeDisk();
  return Promise.resolve({ open: () => Promise.resolve(disk.open()) });
});

storeSuite("LevelDB", () => Promise.resolve(levelPlace()));

test("a second process cannot open the same store", async () => {
  const place = levelPlace();
  const store = await place.open();
  await assert.rejects(place.open(), { code: "E-STATE-STORE", message: /Another process/ });
  await store.close();
});

test("the ballast lies beside the database in its full size", async () => {
  const at = directory();
  const store = await levelPlace(at).open();
  assert.equal((await stat(join(at, "ballast"))).size, 4096);
  await store.close();
});

test("the fake loses what was not synced when the power is cut", async () => {
  const disk = new FakeDisk();
  const store = disk.open();
  const value = Uint8Array.of(1);
  await store.write([{ kind: "put", key: "synced", value }], "durable");
  await store.write([{ kind: "put", key: "cached", value }], "cached");
  disk.cutPower();
  const again = disk.open();
  assert.deepEqual(await again.get("synced"), value);
  assert.equal(await again.get("cached"), undefined);
});

test("the fake goes back to an older image, and flips a bit", async () => {
  const disk = new FakeDisk();
  const store = disk.open();
  const put = (value: number) =>
    store.write([{ kind: "put", key: "a", value: Uint8Array.of(value) }], "durable");
  await put(1);
  const image = disk.image();
  await put(2);
  disk.restore(image);
  assert.deepEqual(await disk.open().get("a"), Uint8Array.of(1));
  disk.flipBit("a", 1);
  assert.deepEqual(await disk.open().get("a"), Uint8Array.of(3));
});

test("the fake fails on a full disk, with nothing written, and takes no more after it", async () => {
  const disk = new FakeDisk();
  const store = disk.open();
  const put = (key: string, size: number) =>
    store.write([{ kind: "put", key, value: new Uint8Array(size) }], "durable");
  await put("a", 100);
  disk.freeBytes = 50;
  await put("b", 50);
  await assert.rejects(put("c", 51), { code: "ENOSPC" });
  disk.freeBytes = 1000;
  await assert.rejects(put("d", 1), { code: "ENOSPC" });
  assert.deepEqual([...disk.content.keys()], ["a", "b"]);
  await disk.open().write([{ kind: "put", key: "d", value: new Uint8Array(1) }], "durable");
});
