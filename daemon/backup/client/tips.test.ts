/**
 * Several newest snapshots: runs of a box that was set back, what stands meanwhile, and what is
 * left when a person has settled it. The daemon's side is in memory, with its rules.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import nacl from "tweetnacl";
import { FakeSetStore } from "../../../test-mesh/fakes/set-store.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import type { MeshId, OwnerId, SetId, ShardId } from "../../../protocol/ids.ts";
import { shardIdOf } from "../../../protocol/backup/shard-id.ts";
import { runBackup } from "./run/backup-run.ts";
import { runForget } from "./run/forget-run.ts";
import { runRestore } from "./restore/restore-run.ts";
import { createSetKeys } from "./keys/set-key-file.ts";
import { runSettle } from "./run/settle-run.ts";
import { ShardReader } from "./shard-reader.ts";

const DAY_MS = 86_400_000;
const owner = "11".repeat(32) as OwnerId;

function stage(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "pleach-tips-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const source = join(folder, "source");
  mkdirSync(source);
  const box = nacl.box.keyPair.fromSecretKey(new Uint8Array(32).fill(9)).publicKey;
  const pin = { meshId: "00".repeat(32) as MeshId, ownerId: owner, box };
  const keys = createSetKeys(join(folder, "keys"), "data", pin, 1);
  const store = new FakeSetStore();
  const cacheFolder = join(folder, "cache");
  const base = { keys, store, cacheFolder, copies: 3 };
  let day = 0;
  /** Backs one file with this content up. */
  const run = async (content: string): Promise<Head> => {
    day++;
    writeFileSync(join(source, "file"), content);
    // Enough that a snapshot needs shards of its own.
    writeFileSync(join(source, "bulk"), randomBytes(4096));
    const { head } = await runBackup({
      ...{ ...base, paths: [Buffer.from(source)], excluded: () => false },
      now: () => day * DAY_MS,
      onProgress: () => {},
    });
    return head;
  };
  const reader = (): ShardReader => {
    const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
    return new ShardReader(store, { owner, set: keys.set, setKey: keys.setKey, epochs });
  };
  const restored = async ({ root }: Head): Promise<string> => {
    const target = join(folder, `back-${root.slice(0, 8)}-${randomBytes(4).toString("hex")}`);
    const from = reader();
    await runRestore({
      ...{ reader: from, root, record: await from.snapshot(root), target },
      ...{ privileged: false, onProgress: () => {} },
    });
    return readFileSync(join(target, source, "file"), "utf8");
  };
  const forget = () =>
    runForget({
      ...{ ...base, keyEpoch: 0, rules: [{ withinMs: 0, everyDays: 0 }], nowMs: day * DAY_MS + 1 },
      confirm: async () => true,
    });
  const settle = (chosen: Head) => runSettle({ ...base, choose: async () => chosen });
  /** What is not listed any more is gone for good. */
  const collect = (): void => {
    for (const shard of store.shards.keys())
      if (!store.listed.has(shard)) store.shards.delete(shard);
  };
  return { store, run, reader, restored, forget, settle, collect, cacheFolder, keys };
}

/** Four snapshots, of which the box then remembers the first two only; what it had published came back. */
async function setBack(context: TestContext) {
  const made = stage(context);
  const { store, run, cacheFolder, keys } = made;
  const first = await run("one");
  const second = await run("two");
  const cache = join(cacheFolder, keys.set);
  const image = join(cacheFolder, "image");
  mkdirSync(image);
  for (const name of ["walk", "tables"]) copyFileSync(join(cache, name), join(image, name));
  const third = await run("three");
  const fourth = await run("four");
  for (const name of readdirSync(image)) copyFileSync(join(image, name), join(cache, name));
  store.tips = { ...store.tips, setBackTo: { head: second } };
  return { ...made, first, second, third, fourth };
}

test("a box that was set back begins a new chain out of its old head, and both tips stand", async (context) => {
  const { store, run, reader, restored, second, fourth } = await setBack(context);
  const next = await run("two again");
  assert.deepEqual([next.number, next.previous], [1, null]);
  assert.notEqual(next.chain, fourth.chain);
  assert.deepEqual(store.tips, { head: next, tips: [fourth], setBackTo: null });
  const { history } = await reader().snapshot(next.root);
  assert.deepEqual(history.at(-1)?.root, second.root);
  assert.equal(await restored(next), "two again");
  assert.equal(await restored(fourth), "four");
  // It goes on there, and the other tip stands.
  const more = await run("two once more");
  assert.deepEqual([more.chain, more.number, more.previous], [next.chain, 2, next.root]);
  assert.deepEqual(store.tips.tips, [fourth]);
});

test("nothing of either tip is forgotten while both stand", async (context) => {
  const { run, restored, forget, collect, third, fourth, second } = await setBack(context);
  const next = await run("two again");
  const { plan } = await forget();
  collect();
  assert.ok(plan.forgotten.some(({ root }) => root === second.root));
  assert.equal(await restored(next), "two again");
  assert.equal(await restored(fourth), "four");
  assert.equal(await restored(third), "three");
});

for (const which of ["the new one", "the old one"] as const) {
  test(`a person settles for ${which}: the other is forgotten by the rules, not before`, async (context) => {
    const { store, run, reader, restored, forget, settle, collect, fourth } =
      await setBack(context);
    const next = await run("two again");
    const [chosen, other] = which === "the new one" ? [next, fourth] : [fourth, next];
    const { head } = await settle(chosen);
    assert.deepEqual(store.tips, { head, tips: [], setBackTo: null });
    assert.deepEqual([head.chain, head.number], [chosen.chain, chosen.number + 1]);
    assert.equal(head.atMs, chosen.atMs);
    const { history } = await reader().snapshot(head.root);
    for (const one of [chosen, other]) assert.ok(history.some(({ root }) => root === one.root));
    assert.equal(await restored(head), which === "the new one" ? "two again" : "four");
    assert.equal(await restored(other), which === "the new one" ? "four" : "two again");
    // What members still tell of the other one changes nothing.
    store.claims = [other];
    const after = await run("later");
    assert.deepEqual([after.chain, after.number], [chosen.chain, chosen.number + 2]);
    assert.deepEqual(store.tips.tips, []);
    const { plan } = await forget();
    assert.ok(plan.forgotten.some(({ root }) => root === other.root));
    // The index of the new line lies in part in the shard that the other one ended with.
    assert.equal(plan.remove.includes(other.root), which === "the old one");
    collect();
    assert.equal(await restored(after), "later");
    await assert.rejects(settle(chosen), { code: "E-BACKUP-TIPS" });
  });
}

test("a line that only members know of stands as well, and what it needs is listed again", async (context) => {
  const { store, run, restored, collect, second, third, fourth } = await setBack(context);
  // The lists went back, too: the daemon knows nothing of what came after the second snapshot.
  const lost = [third.root, fourth.root];
  for (const root of lost) store.listed.delete(root);
  store.tips = { head: second, tips: [], setBackTo: null };
  store.claims = [third, fourth];
  const next = await run("two again");
  assert.notEqual(next.chain, second.chain);
  assert.deepEqual(store.tips.tips, [fourth]);
  for (const root of lost) assert.ok(store.listed.has(root));
  collect();
  assert.equal(await restored(fourth), "four");
  assert.equal(await restored(third), "three");
  assert.equal(await restored(next), "two again");
});

test("a claim that nobody can read, or that lies about its place, changes nothing", async (context) => {
  const { store, run } = stage(context);
  const first = await run("one");
  const second = await run("two");
  store.claims = [
    { ...second, number: 99, root: "ee".repeat(32) as ShardId },
    { ...first, number: 77 },
    { ...first, chain: "00".repeat(16) as Head["chain"] },
    first,
  ];
  const third = await run("three");
  assert.deepEqual([third.chain, third.number, third.previous], [first.chain, 3, second.root]);
  assert.deepEqual(store.tips.tips, []);
});

test("two snapshots at one place of a chain: the next one begins another chain", async (context) => {
  const { store, run, fourth, second } = await setBack(context);
  // The box went on in the old chain before anybody could tell it better.
  store.tips = { head: second, tips: [], setBackTo: null };
  const rival = await run("unaware");
  assert.deepEqual([rival.chain, rival.number], [fourth.chain, 3]);
  store.tips = { ...store.tips, tips: [fourth] };
  const next = await run("aware");
  assert.notEqual(next.chain, fourth.chain);
  assert.deepEqual(store.tips.tips, [fourth]);
});

test("nothing is settled where one stands, or before a box that was set back has run", async (context) => {
  const { run, settle } = stage(context);
  const only = await run("one");
  await assert.rejects(settle(only), { code: "E-BACKUP-TIPS" });
  const other = await setBack(context);
  await assert.rejects(other.settle(other.fourth), { code: "E-BACKUP-TIPS" });
});

test("a tip whose snapshot is lost can be settled away", async (context) => {
  const { store, run, settle, fourth } = await setBack(context);
  const next = await run("two again");
  store.shards.delete(fourth.root);
  const { unread } = await settle(next);
  assert.deepEqual(unread, [fourth]);
  assert.deepEqual(store.tips.tips, []);
});

/** Publishes lists and a head as root of the box may: nothing but bytes that nobody has sealed. */
function takeOver(store: FakeSetStore, keys: { readonly set: SetId }, head: Head): Head {
  store.listed.clear();
  const [root = "" as ShardId] = [1, 2, 3].map(() => {
    const junk = randomBytes(4096);
    const shard = shardIdOf(owner, keys.set, junk);
    store.shards.set(shard, junk);
    store.listed.add(shard);
    return shard;
  });
  return { ...head, number: Number.MAX_SAFE_INTEGER, previous: head.root, root };
}

for (const isSetBack of [true, false]) {
  const after = isSetBack ? "was put back from an image" : "was cleaned as it is";
  test(`a box that had published a head that leads nowhere and ${after} goes on`, async (context) => {
    const { store, run, reader, restored, collect, keys } = stage(context);
    const first = await run("one");
    const second = await run("two");
    const listed = [...store.listed];
    const hostile = takeOver(store, keys, second);
    const filling = [...store.listed].filter((shard) => shard !== hostile.root);
    store.claims = [first, second, hostile];
    const setBackTo = isSetBack ? { head: second } : null;
    store.tips = { head: hostile, tips: [], setBackTo };
    const next = await run("three");
    assert.deepEqual([next.number, next.previous], [1, null]);
    assert.notEqual(next.chain, second.chain);
    assert.deepEqual(store.tips, { head: next, tips: [], setBackTo: null });
    const { history } = await reader().snapshot(next.root);
    assert.deepEqual(
      history.map(({ root }) => root),
      [first.root, second.root],
    );
    // What the lists had named is named again, and no more than the new files was sealed anew.
    for (const shard of listed) assert.ok(store.listed.has(shard));
    for (const shard of filling) assert.ok(!store.listed.has(shard));
    collect();
    assert.equal(await restored(second), "two");
    assert.equal(await restored(next), "three");
    const more = await run("four");
    assert.deepEqual([more.chain, more.number], [next.chain, 2]);
    assert.deepEqual(store.tips.tips, []);
  });
}

test("a tip that no list names is listed again where it can be read, and else is none", async (context) => {
  const { store, run, restored, collect, second, third, fourth, keys } = await setBack(context);
  const before = [...store.listed];
  const hostile = takeOver(store, keys, second);
  store.listed = new Set(before.filter((shard) => shard !== third.root && shard !== fourth.root));
  // As holders serve them.
  store.tips = { head: second, tips: [fourth, hostile], setBackTo: null };
  const next = await run("two again");
  assert.notEqual(next.chain, second.chain);
  assert.deepEqual(store.tips.tips, [fourth]);
  collect();
  assert.equal(await restored(fourth), "four");
  assert.equal(await restored(next), "two again");
});

test("a chain in which no number is left ends: runs and settlements begin another one", async (context) => {
  const { store, run, settle, restored } = stage(context);
  const first = await run("one");
  const last = { ...first, number: Number.MAX_SAFE_INTEGER };
  store.tips = { ...store.tips, head: last };
  const next = await run("two");
  assert.deepEqual([next.number, next.previous], [1, null]);
  assert.notEqual(next.chain, first.chain);
  assert.deepEqual(store.tips.tips, []);

  store.tips = { ...store.tips, tips: [last] };
  const { head } = await settle(last);
  assert.deepEqual([head.number, head.previous], [1, null]);
  assert.deepEqual(store.tips, { head, tips: [], setBackTo: null });
  assert.equal(await restored(head), "one");
  assert.equal((await run("three")).number, 2);
});
