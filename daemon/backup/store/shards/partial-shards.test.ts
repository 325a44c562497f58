import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { idOf, sha256, type OwnerId, type SetId } from "../../../../protocol/ids.ts";
import { RANGE_BYTES, SHARD_BYTES, shardIdOf } from "../../../../protocol/backup/shard-id.ts";
import { rangeRoots } from "../../../../protocol/backup/shard-ranges.ts";
import { BackupError } from "../error.ts";
import { ShardStore } from "./shard-store.ts";

const OWNER = idOf<OwnerId>(sha256("owner"));
const SET = "00112233445566778899aabbccddeeff" as SetId;
const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);

async function scratch(context: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "pleach-partial-"));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return { directory, store: await ShardStore.open(directory) };
}

function coming(sizeBytes: number, owner = OWNER) {
  const bytes = randomBytes(sizeBytes);
  const shard = shardIdOf(owner, SET, bytes);
  const name = { owner, set: SET, shard, sizeBytes, roots: rangeRoots(bytes) };
  const range = (at: number) => bytes.subarray(at * RANGE_BYTES, (at + 1) * RANGE_BYTES);
  return { bytes, name, range };
}

const isCode = (code: string) => (error: unknown) =>
  error instanceof BackupError && error.code === code;

test("a shard that was cut off goes on at its range, after a restart as well", async (context) => {
  const { directory, store } = await scratch(context);
  const { bytes, name, range } = coming(SHARD_BYTES);
  const first = await store.partials.begin(name, 0, Date.now());
  for (let at = 0; at < 14; at++) await first.add(range(at));
  assert.equal(store.partials.bytesOf(name.shard), 0, "somebody writes it");
  await first.leave();
  assert.equal(store.partials.bytesOf(name.shard), 14 * RANGE_BYTES);
  const again = await ShardStore.open(directory);
  assert.equal(again.partials.bytesOf(name.shard), 14 * RANGE_BYTES);
  await assert.rejects(
    again.partials.begin(name, 13 * RANGE_BYTES, Date.now()),
    isCode("E-BACKUP-PEER"),
  );
  const second = await again.partials.begin(name, 14 * RANGE_BYTES, Date.now());
  await second.add(range(14));
  await second.add(range(15));
  assert.equal(await again.adopt(second), "stored");
  assert.deepEqual(Buffer.from((await again.read(name)) ?? []), bytes);
  assert.deepEqual(await readdir(join(directory, "partial")), []);
  assert.equal(again.partials.bytesOf(name.shard), 0);
});

test("a kill in the middle of a write costs one range", async (context) => {
  const { directory, store } = await scratch(context);
  const { name, range } = coming(4 * RANGE_BYTES);
  const first = await store.partials.begin(name, 0, Date.now());
  await first.add(range(0));
  await first.add(range(1));
  // The process is gone; half of the next range had been written.
  const file = join(directory, "partial", `${OWNER}.${name.shard}`);
  await writeFile(file, range(2).subarray(0, 1000), { flag: "a" });
  const again = await ShardStore.open(directory);
  assert.equal(again.partials.bytesOf(name.shard), 2 * RANGE_BYTES);
  const second = await again.partials.begin(name, 2 * RANGE_BYTES, Date.now());
  await second.add(range(2));
  await second.add(range(3));
  assert.equal(await again.adopt(second), "stored");
  await first.leave();
});

test("ranges and roots of another shard are refused, and nothing of them is written", async (context) => {
  const { store } = await scratch(context);
  const { name, range } = coming(3 * RANGE_BYTES);
  const other = coming(3 * RANGE_BYTES);
  const forged = { ...name, roots: other.name.roots };
  await assert.rejects(store.partials.begin(forged, 0, NOW_MS), isCode("E-BACKUP-SHARD"));
  const partial = await store.partials.begin(name, 0, NOW_MS);
  await partial.add(range(0));
  for (const bad of [other.range(1), range(0), range(1).subarray(4096)]) {
    await assert.rejects(partial.add(bad), isCode("E-BACKUP-SHARD"));
  }
  assert.equal(partial.bytes, RANGE_BYTES);
  await partial.leave();
});

test("what a power cut took of it is noticed, and the shard comes anew", async (context) => {
  const { directory, store } = await scratch(context);
  const { name, range } = coming(3 * RANGE_BYTES);
  const partial = await store.partials.begin(name, 0, NOW_MS);
  await partial.add(range(0));
  await partial.leave();
  const file = join(directory, "partial", `${OWNER}.${name.shard}`);
  await writeFile(file, new Uint8Array(RANGE_BYTES));
  const again = await ShardStore.open(directory);
  await assert.rejects(
    again.partials.begin(name, RANGE_BYTES, Date.now()),
    isCode("E-BACKUP-PEER"),
  );
  assert.equal(again.partials.bytesOf(name.shard), 0);
  assert.deepEqual(await readdir(join(directory, "partial")), []);
});

test("two that write one shard at once end in one file", async (context) => {
  const { directory, store } = await scratch(context);
  const { name, range, bytes } = coming(2 * RANGE_BYTES);
  const both = [
    await store.partials.begin(name, 0, NOW_MS),
    await store.partials.begin(name, 0, NOW_MS),
  ];
  for (const partial of both) for (const at of [0, 1]) await partial.add(range(at));
  const outcomes = await Promise.all(both.map((partial) => store.adopt(partial)));
  assert.deepEqual(outcomes.toSorted(), ["stored", "there"]);
  assert.deepEqual(Buffer.from((await store.read(name)) ?? []), bytes);
  assert.deepEqual(await readdir(join(directory, "partial")), []);
});

test("an owner leaves little behind, and takes nobody else's; after a week it is gone", async (context) => {
  const { directory, store } = await scratch(context);
  const other = coming(2 * RANGE_BYTES, idOf<OwnerId>(sha256("other")));
  const all = [other, ...Array.from({ length: 20 }, () => coming(2 * RANGE_BYTES))];
  for (const [turn, { name, range }] of all.entries()) {
    const partial = await store.partials.begin(name, 0, NOW_MS + turn);
    await partial.add(range(0));
    await partial.leave();
  }
  const left = await readdir(join(directory, "partial"));
  assert.equal(left.length, 1 + 8);
  assert.equal(store.partials.bytesOf(other.name.shard), RANGE_BYTES);
  assert.equal(store.partials.bytesOf(all.at(-1)?.name.shard ?? other.name.shard), RANGE_BYTES);
  await store.partials.sweep(NOW_MS + 6 * DAY_MS);
  assert.equal((await readdir(join(directory, "partial"))).length, 1 + 8);
  await store.partials.sweep(NOW_MS + 8 * DAY_MS);
  assert.deepEqual(await readdir(join(directory, "partial")), []);
});
