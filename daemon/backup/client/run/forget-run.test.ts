import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import nacl from "tweetnacl";
import type { KeepRule } from "../../../core/backup/forget.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import type { MeshId, OwnerId, ShardId } from "../../../../protocol/ids.ts";
import { FakeSetStore } from "../../../../test-mesh/fakes/set-store.ts";
import { BackupError } from "../error.ts";
import { runBackup } from "./backup-run.ts";
import { runForget, type ForgetPlan } from "./forget-run.ts";
import type { CommitRequest } from "../port.ts";
import { runRestore } from "../restore/restore-run.ts";
import { createSetKeys } from "../keys/set-key-file.ts";
import { ShardReader } from "../shard-reader.ts";

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
const owner = "11".repeat(32) as OwnerId;

/** What leaves the lists is gone at once: nothing may still need it. */
class HardStore extends FakeSetStore {
  isFull = false;

  override async get(shard: ShardId): Promise<Uint8Array> {
    if (!this.listed.has(shard)) throw new Error(`no shard ${shard}`);
    return super.get(shard);
  }

  override async commit(request: CommitRequest) {
    if (this.isFull) throw new BackupError("E-BACKUP-SPACE", "The disk is full.");
    return super.commit(request);
  }
}

function stage(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "pleach-forget-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const source = join(folder, "source");
  mkdirSync(source);
  const box = nacl.box.keyPair.fromSecretKey(new Uint8Array(32).fill(9)).publicKey;
  const pin = { meshId: "00".repeat(32) as MeshId, ownerId: owner, box };
  const keys = createSetKeys(join(folder, "keys"), "data", pin, 1);
  const store = new HardStore();
  const cacheFolder = join(folder, "cache");
  let day = 0;
  const run = async (): Promise<Head> => {
    day++;
    const { head } = await runBackup({
      ...{ keys, store, cacheFolder, copies: 3, paths: [Buffer.from(source)] },
      excluded: () => false,
      now: () => day * DAY_MS,
      onProgress: () => {},
    });
    return head;
  };
  const forget = async (rules: readonly KeepRule[], confirm = true): Promise<ForgetPlan> => {
    const { plan, done } = await runForget({
      ...{ keys, store, cacheFolder, rules, nowMs: day * DAY_MS + 1, copies: 3, keyEpoch: 1 },
      confirm: async () => confirm,
    });
    assert.equal(done, confirm);
    return plan;
  };
  const restore = async (root: ShardId): Promise<string> => {
    const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
    const reader = new ShardReader(store, { owner, set: keys.set, setKey: keys.setKey, epochs });
    const record = await reader.snapshot(root);
    const target = join(folder, `restored-${randomBytes(4).toString("hex")}`);
    await runRestore({ reader, root, record, target, privileged: false, onProgress: () => {} });
    return join(target, source);
  };
  const write = (name: string): Buffer => {
    const bytes = randomBytes(MIB);
    writeFileSync(join(source, name), bytes);
    return bytes;
  };
  const history = async (): Promise<readonly number[]> => {
    assert.ok(store.head);
    const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
    const reader = new ShardReader(store, { owner, set: keys.set, setKey: keys.setKey, epochs });
    return (await reader.snapshot(store.head.root)).history.map(({ number }) => number);
  };
  return { store, run, forget, restore, write, history };
}

test("what only forgotten snapshots need leaves the lists, and all others restore", async (context) => {
  const { store, run, forget, restore, write } = stage(context);
  const files = new Map<string, Buffer>();
  const heads: Head[] = [];
  const contents: Map<string, Buffer>[] = [];
  for (let day = 0; day < 6; day++) {
    const count = day === 0 ? 24 : 5;
    for (let at = 0; at < count; at++) {
      const name = `f${(day * 4 + at) % 24}`;
      files.set(name, write(name));
    }
    heads.push(await run());
    contents.push(new Map(files));
  }
  const before = store.listed.size;
  const rules: KeepRule[] = [{ withinMs: 2 * DAY_MS, everyDays: 0 }];
  const shown = await forget(rules, false);
  assert.equal(store.listed.size, before, "shown only");
  const plan = await forget(rules);
  assert.deepEqual(plan, shown);
  assert.deepEqual(
    plan.forgotten.map(({ number }) => number),
    [1, 2, 3],
  );
  const check = async (at: number): Promise<void> => {
    const restored = await restore(heads[at]?.root ?? ("" as never));
    for (const [name, bytes] of contents[at] ?? []) {
      assert.ok(bytes.equals(readFileSync(join(restored, name))), `${at} ${name}`);
    }
  };
  for (const at of [3, 4, 5]) await check(at);
  assert.ok(plan.tired.length > 0, "the first shards are hardly used any more");

  // The next run stores anew what it needs of tired shards; then they can go, too.
  heads.push(await run());
  contents.push(new Map(files));
  const last = await forget([{ withinMs: 0, everyDays: 0 }]);
  assert.deepEqual(
    last.kept.map(({ number }) => number),
    [7],
  );
  for (const shard of plan.tired) assert.ok(last.remove.includes(shard));
  await check(6);
  heads.push(await run());
  contents.push(new Map(files));
  await check(7);
});

test("a snapshot whose index is lost ends the plan: nothing is forgotten", async (context) => {
  const { store, run, forget, write } = stage(context);
  write("a");
  const first = await run();
  write("b");
  await run();
  const before = store.listed.size;
  store.shards.delete(first.root);
  await assert.rejects(forget([{ withinMs: 0, everyDays: 0 }]), /no shard/);
  assert.equal(store.listed.size, before);
});

test("the next run knows no forgotten snapshot, even where later ones were built on its root", async (context) => {
  const { store, run, forget, restore, write, history } = stage(context);
  const day = async (name: string): Promise<Head> => {
    for (let at = 0; at < 5; at++) write(`changes${at}`);
    write(name);
    return run();
  };
  const heads = [await day("a"), await day("b"), await day("c")];
  assert.deepEqual(await history(), [1, 2]);
  const last: KeepRule[] = [{ withinMs: 0, everyDays: 0 }];
  const marked = await forget(last);
  assert.deepEqual([marked.forgotten.length, marked.remove], [2, []]);
  assert.ok(marked.tired.length > 0);
  heads.push(await day("d"));
  assert.deepEqual(await history(), [3]);

  // Now shards go, and the roots that hold what stays are still listed.
  const gone = await forget(last);
  assert.ok(gone.remove.length > 0);
  assert.ok(heads.slice(0, 3).some(({ root }) => store.listed.has(root)));
  const again = await forget(last);
  assert.deepEqual(again.remove, [], "what went is neither counted nor read again");
  const head = await day("e");
  assert.deepEqual(await history(), [4]);
  await restore(head.root);
});

test("a forgetting that was cut off before the lists changed is made up for by the next one", async (context) => {
  const { store, run, forget, write, history } = stage(context);
  const day = async (): Promise<Head> => {
    for (let at = 0; at < 6; at++) write(`changes${at}`);
    return run();
  };
  for (let count = 0; count < 3; count++) await day();
  const last: KeepRule[] = [{ withinMs: 0, everyDays: 0 }];
  await forget(last);
  await day();
  const before = new Set(store.listed);
  store.isFull = true;
  await assert.rejects(forget(last), /full/);
  store.isFull = false;
  assert.deepEqual(store.listed, before);
  await day();
  assert.deepEqual(await history(), [3, 4], "somebody has to name what only they need");
  const { forgotten, remove } = await forget(last);
  assert.deepEqual([forgotten.length, remove.length > 0], [2, true]);
  await day();
  assert.deepEqual(await history(), [5]);
});
