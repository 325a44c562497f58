import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Head } from "../../../../protocol/backup/head.ts";
import type { MeshId, ShardId, StoreId } from "../../../../protocol/ids.ts";
import { deriveOwnerKeys } from "../../../../protocol/keys/owner-keys.ts";
import { signReceipt, type SignedReceipt } from "../../../../protocol/backup/receipt.ts";
import { OpenedShard } from "../../../../protocol/backup/sealed-shard.ts";
import { parseShardHeader } from "../../../../protocol/backup/shard.ts";
import { signingKey, type SigningKey } from "../../../../protocol/keys/signature.ts";
import { FakeSetStore } from "../../../../test-mesh/fakes/set-store.ts";
import { runBackup } from "../run/backup-run.ts";
import { runForget } from "../run/forget-run.ts";
import { missingEpochs, neededEpochs } from "./needed-epochs.ts";
import type { CommitRequest, KeyState, KeyStore } from "../port.ts";
import { locate } from "../restore/restore-plan.ts";
import { runRestore } from "../restore/restore-run.ts";
import { createSetKeys, readSetKeys, type SetKeyFile } from "./set-key-file.ts";
import { keysFromShard, ShardReader } from "../shard-reader.ts";
import { tendKeys, type TendRequest, type Tended } from "./tend-keys.ts";

const DAY_MS = 86_400_000;
const MESH = "11".repeat(32) as MeshId;
const owner = deriveOwnerKeys(new Uint8Array(32).fill(7));
const pin = { meshId: MESH, ownerId: owner.ownerId, box: owner.box.publicKey };
const holders = [1, 2, 3].map((seed) => signingKey(new Uint8Array(32).fill(seed)));

/** Holders sign when they are told to, and what leaves the lists is gone. */
class SignedStore extends FakeSetStore implements KeyStore {
  readonly signed = new Map<ShardId, SignedReceipt[]>();
  keyEpoch = 0;

  override async state(): Promise<KeyState | undefined> {
    const state = await super.state();
    const { keyEpoch } = this;
    return state === undefined ? undefined : { ...state, keyEpoch, copies: 3, folder: "/nowhere" };
  }

  override async commit(request: CommitRequest) {
    const done = await super.commit(request);
    for (const shard of request.remove ?? []) this.shards.delete(shard);
    this.keyEpoch = request.keyEpoch;
    return done;
  }

  async receipts(shard: ShardId): Promise<readonly SignedReceipt[]> {
    return this.signed.get(shard) ?? [];
  }

  /** Each of them signs for all that is listed now. */
  sign(by: readonly SigningKey[], id?: ShardId): void {
    for (const shard of this.listed) {
      const sizeBytes = this.shards.get(shard)?.length ?? assert.fail();
      const about = { mesh: MESH, store: "55".repeat(16) as StoreId, owner: owner.ownerId };
      const receipts = by.map((key) =>
        signReceipt(key, {
          ...{ ...about, set: keys.set, kind: "shard", id: id ?? shard, sizeBytes },
          lockDays: 30,
        }),
      );
      this.signed.set(shard, [...(this.signed.get(shard) ?? []), ...receipts]);
    }
  }
}

let folder = "";
let keys: SetKeyFile;
let store: SignedStore;
let day = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pleach-tend-"));
  mkdirSync(join(folder, "source"));
  day = 100;
  keys = createSetKeys(join(folder, "keys"), "books", pin, day * DAY_MS);
  store = new SignedStore();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function tend(more: Partial<TendRequest> = {}): Promise<Tended> {
  const tended = await tendKeys({
    ...{ keysFolder: join(folder, "keys"), name: "books", pin, store },
    ...{ cacheFolder: join(folder, "cache"), history: "sealed", length: "run" },
    nowMs: day * DAY_MS,
    ...more,
  });
  assert.notEqual(tended, "busy");
  return tended as Tended;
}

const read = (): SetKeyFile => readSetKeys(join(folder, "keys"), "books");

async function run() {
  day += 1;
  return runBackup({
    ...{ keys: read(), store, copies: 3, cacheFolder: join(folder, "cache") },
    paths: [Buffer.from(join(folder, "source"))],
    excluded: () => false,
    now: () => day * DAY_MS,
    onProgress: () => {},
  });
}

function write(name: string, sizeBytes = 300_000): Buffer {
  const bytes = randomBytes(sizeBytes);
  writeFileSync(join(folder, "source", name), bytes);
  return bytes;
}

/** With the keys of the box as they are now, and the phrase if it is given. */
function reader(phrase = false): ShardReader {
  const { set, setKey, epochs } = read();
  const { root } = store.head ?? assert.fail();
  const keysOfBox = { owner: owner.ownerId, set, setKey, epochs: new Map<number, Uint8Array>() };
  for (const { epoch, key } of epochs) keysOfBox.epochs.set(epoch, key);
  if (!phrase) return new ShardReader(store, keysOfBox);
  const bytes = store.shards.get(root) ?? assert.fail();
  return new ShardReader(
    store,
    keysFromShard(owner.ownerId, set, root, bytes, owner.box.secretKey),
  );
}

async function restore(from: ShardReader, root: ShardId): Promise<string> {
  const target = mkdtempSync(join(folder, "restored-"));
  const record = await from.snapshot(root);
  await runRestore({ reader: from, root, record, target, privileged: false, onProgress: () => {} });
  return join(target, folder, "source");
}

describe("sealed history", () => {
  it("keeps a key until enough sites have signed for a shard with its capsule", async () => {
    write("a");
    await run();
    assert.deepEqual(await tend(), {
      ...{ current: 2, hasRotated: true, erased: [], needed: 3 },
      waiting: [{ epoch: 1, signed: 0 }],
    });
    // The same holder again and again, another shard, a forged signature, two of three.
    const [first = assert.fail(), second = assert.fail(), third = assert.fail()] = holders;
    store.sign([first, first, first]);
    store.sign([second, third], "99".repeat(32) as ShardId);
    assert.deepEqual((await tend()).waiting, [{ epoch: 1, signed: 1 }]);
    store.sign([second]);
    for (const receipts of store.signed.values()) {
      const [{ bytes } = assert.fail()] = receipts;
      receipts.push({ bytes, signature: new Uint8Array(64) });
    }
    assert.deepEqual((await tend()).waiting, [{ epoch: 1, signed: 2 }]);
    assert.deepEqual(
      read().epochs.map(({ epoch }) => epoch),
      [1, 2],
    );
    store.sign([third]);
    assert.deepEqual((await tend()).erased, [1]);
    assert.deepEqual(
      read().epochs.map(({ epoch }) => epoch),
      [2],
    );
    assert.deepEqual(
      read().erased.map(({ epoch }) => epoch),
      [1],
    );
  });

  it("erases nothing whose capsule in the shards is another than in the key file", async () => {
    write("a");
    await run();
    await tend({ length: DAY_MS * 30 });
    store.sign(holders);
    for (const bytes of store.shards.values()) bytes.set(randomBytes(8), 100);
    const { erased, waiting } = await tend({ rotate: true });
    assert.deepEqual([erased, waiting], [[], [{ epoch: 1, signed: 0 }]]);
  });

  it("goes on without the keys of its past: runs, list of snapshots, forgetting", async () => {
    const contents = new Map<string, Buffer>();
    const heads: Head[] = [];
    for (let at = 0; at < 4; at++) {
      contents.set(`file-${at}`, write(`file-${at}`));
      const { head, storedBytes } = await run();
      heads.push(head);
      // What is stored is known by K_id, though nothing of it can be read here any more.
      assert.ok(storedBytes < 400_000, `${storedBytes} bytes in run ${at + 1}`);
      store.sign(holders);
      assert.deepEqual((await tend()).erased, [at + 1]);
    }
    const box = reader();
    const [, , , newest = assert.fail()] = heads;
    const record = await box.snapshot(newest.root);
    assert.equal(record.history.length, 3);
    const locator = await locate(box, newest.root, record);
    assert.deepEqual(await missingEpochs(box, record, locator, []), {
      ...{ epochs: [1, 2, 3, 4], isExact: false },
    });
    await assert.rejects(restore(box, newest.root), { code: "E-BACKUP-EPOCH" });

    // With the caches lost, too.
    rmSync(join(folder, "cache"), { recursive: true });
    const again = await run();
    assert.ok(again.storedBytes < 50_000, `${again.storedBytes} bytes in a run with nothing new`);
    rmSync(join(folder, "source", "file-0"));
    await run();
    const { plan } = await runForget({
      ...{ keys: read(), store, cacheFolder: join(folder, "cache"), copies: 3, keyEpoch: 6 },
      ...{ rules: [{ withinMs: 0, everyDays: 0 }], nowMs: day * DAY_MS + 1 },
      confirm: async () => true,
    });
    assert.equal(plan.forgotten.length, 5);
    // Of the shard with the file that went only little is used: it was found without its key.
    assert.ok(plan.tired.length > 0);
    const phrase = reader(true);
    const last = store.head ?? assert.fail();
    const restored = await restore(phrase, last.root);
    assert.deepEqual(readdirSync(restored).toSorted(), ["file-1", "file-2", "file-3"]);
    for (const name of ["file-1", "file-2", "file-3"]) {
      assert.ok(contents.get(name)?.equals(readFileSync(join(restored, name))), name);
    }
  });

  it("opens older shards with no key of the box, and all of them with the phrase", async () => {
    const names = ["early", "later", "last"];
    for (const name of names) {
      write(name);
      await run();
      store.sign(holders);
      await tend({ length: "run" });
    }
    const { setKey, epochs } = read();
    const candidates = [setKey, ...epochs.map(({ key }) => key)];
    let closed = 0;
    for (const bytes of store.shards.values()) {
      for (const epochKey of candidates) {
        const opened = new OpenedShard(bytes, { setKey, epochKey });
        opened.frames.forEach(({ kind }, frame) => {
          if (kind !== "data" && kind !== "tree") return;
          assert.throws(() => opened.frame(frame), { code: "E-SHARD-SEAL" });
          closed += 1;
        });
      }
    }
    assert.ok(closed > 0);
    const { root } = store.head ?? assert.fail();
    const restored = await restore(reader(true), root);
    assert.deepEqual(readdirSync(restored).toSorted(), names.toSorted());
  });

  it("names just the epochs that some paths need", async () => {
    for (const name of ["early", "later", "last"]) {
      write(name);
      await run();
      store.sign(holders);
      await tend();
    }
    const phrase = reader(true);
    const { root } = store.head ?? assert.fail();
    const record = await phrase.snapshot(root);
    const locator = await locate(phrase, root, record);
    const only = [Buffer.from(join(folder, "source", "later"))];
    assert.deepEqual(await neededEpochs(phrase, record, locator, []), new Set([1, 2, 3]));
    // Directories are of the newest epoch, the file of its own; the ones above of the first.
    const some = await neededEpochs(phrase, record, locator, only);
    assert.ok(some.has(2) && some.has(3));
    assert.ok(parseShardHeader(store.shards.get(root) ?? assert.fail()).keyEpoch === 3);
  });
});

describe("key epochs", () => {
  it("last as long as they should, and all keys stay with a box that keeps its history", async () => {
    write("a");
    await run();
    store.sign(holders);
    const length = 30 * DAY_MS;
    day += 28;
    assert.equal((await tend({ length, history: "box" })).hasRotated, false);
    day += 1;
    const tended = await tend({ length, history: "box" });
    assert.deepEqual([tended.current, tended.erased, tended.waiting], [2, [], []]);
    assert.deepEqual(
      read().epochs.map(({ epoch }) => epoch),
      [1, 2],
    );
    write("b");
    const { head } = await run();
    assert.equal(readdirSync(await restore(reader(), head.root)).length, 2);
    // Changed to sealed, the past goes at the next look.
    assert.deepEqual((await tend({ length })).erased, [1]);
  });

  it("never take a number again that lists name", async () => {
    store.tips = { ...store.tips, head: null };
    write("a");
    await run();
    // As an older image of the box finds it.
    store.keyEpoch = 7;
    assert.equal((await tend({ length: DAY_MS * 30, rotate: true })).current, 8);
  });

  it("go when nothing was sealed with them", async () => {
    write("a");
    await run();
    store.sign(holders);
    await tend();
    await tend({ rotate: true });
    const { current, erased } = await tend({ rotate: true });
    assert.equal(current, 4);
    assert.deepEqual(erased, [3]);
    assert.deepEqual(
      read().epochs.map(({ epoch }) => epoch),
      [4],
    );
  });
});
