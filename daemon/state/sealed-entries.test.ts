import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../observe/log.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { ENTRIES } from "./keys.ts";
import { sealEntries } from "./sealed-entries.ts";

const KEY = `${ENTRIES.from}one`;
const bytes = new Uint8Array(Buffer.from("what was admitted"));

async function read(disk: FakeDisk): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const store = sealEntries(disk.open(), silentLogger);
  for await (const [key, value] of store.entries(ENTRIES)) found.set(key, value);
  return found;
}

async function filled(): Promise<FakeDisk> {
  const disk = new FakeDisk();
  const store = sealEntries(disk.open(), silentLogger);
  await store.write([{ kind: "put", key: KEY, value: bytes }], "durable");
  return disk;
}

test("an entry comes back as it was put, and other records lie as they are", async () => {
  const disk = await filled();
  const store = sealEntries(disk.open(), silentLogger);
  assert.deepEqual([...(await read(disk))], [[KEY, bytes]]);
  assert.deepEqual(await store.get(KEY), bytes);
  await store.write([{ kind: "put", key: "other", value: bytes }], "durable");
  assert.deepEqual(disk.content.get("other"), bytes);
  assert.deepEqual(await store.get("other"), bytes);
});

test("any flipped bit of an entry makes it a lost one, and it is cleared away", async () => {
  const { length } = (await filled()).content.get(KEY) ?? assert.fail();
  for (let at = 0; at < length * 8; at += 5) {
    const disk = await filled();
    const stored = disk.content.get(KEY) ?? assert.fail();
    stored[at >> 3] = (stored[at >> 3] ?? 0) ^ (1 << (at & 7));
    assert.equal(await sealEntries(disk.open(), silentLogger).get(KEY), undefined);
    assert.equal((await read(disk)).size, 0);
    assert.equal(disk.content.has(KEY), false);
  }
});

test("an entry in another's place, and one that is cut off, are lost ones", async () => {
  const disk = await filled();
  const stored = disk.content.get(KEY) ?? assert.fail();
  disk.content.set(`${KEY}2`, stored);
  disk.content.set(`${KEY}3`, stored.subarray(0, 7));
  disk.content.set(`${KEY}4`, new Uint8Array());
  assert.deepEqual([...(await read(disk)).keys()], [KEY]);
});
