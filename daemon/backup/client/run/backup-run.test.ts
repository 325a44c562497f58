import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import nacl from "tweetnacl";
import type { MeshId, OwnerId, ShardId } from "../../../../protocol/ids.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { verifyShard } from "../../../../protocol/backup/shard.ts";
import { FakeSetStore } from "../../../../test-mesh/fakes/set-store.ts";
import { runBackup, type RunOutcome, type RunRequest } from "./backup-run.ts";
import type { StreamSource } from "../read/gather-stream.ts";
import type { CommitRequest } from "../port.ts";
import { runRestore } from "../restore/restore-run.ts";
import { createSetKeys, type SetKeyFile } from "../keys/set-key-file.ts";
import { ShardReader } from "../shard-reader.ts";

const MIB = 1024 * 1024;
const owner = "11".repeat(32) as OwnerId;
const pin = {
  meshId: "00".repeat(32) as MeshId,
  ownerId: owner,
  box: nacl.box.keyPair.fromSecretKey(new Uint8Array(32).fill(9)).publicKey,
};

/** A daemon that can be told to break. */
class BreakingStore extends FakeSetStore {
  failAfterPuts = Number.POSITIVE_INFINITY;
  /** The answer to a commit that lists shards is lost. */
  isAnswerLost = false;

  override async put(shard: ShardId, bytes: Uint8Array): Promise<void> {
    if (this.shards.size >= this.failAfterPuts) throw new Error("the daemon is gone");
    verifyShard(owner, keys.set, shard, bytes);
    await super.put(shard, bytes);
  }

  override async commit(request: CommitRequest) {
    for (const [shard] of request.add) {
      assert.ok(this.shards.has(shard) && !this.listed.has(shard));
    }
    const done = await super.commit(request);
    if (this.isAnswerLost && request.add.length > 0) throw new Error("the answer is lost");
    return done;
  }
}

let folder = "";
let keys: SetKeyFile;
let store: BreakingStore;
let onLeftOut = (): void => {};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pleach-run-"));
  mkdirSync(join(folder, "source"));
  keys = createSetKeys(join(folder, "keys"), "data", pin, 1);
  store = new BreakingStore();
  onLeftOut = () => {};
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(path = join(folder, "source"), more: Partial<RunRequest> = {}): Promise<RunOutcome> {
  return runBackup({
    keys,
    paths: [Buffer.from(path)],
    excluded: (path) => {
      if (!path.endsWith("/left-out")) return false;
      onLeftOut();
      return true;
    },
    copies: 3,
    store,
    cacheFolder: join(folder, "cache"),
    now: () => 1000,
    portionBytes: 2 * SHARD_BYTES,
    onProgress: () => {},
    ...more,
  });
}

/** Every shard that the newest snapshot was built on. */
async function indexed(): Promise<Set<ShardId>> {
  const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
  const reader = new ShardReader(store, { owner, set: keys.set, setKey: keys.setKey, epochs });
  const root = store.head?.root;
  assert.ok(root);
  const record = await reader.snapshot(root);
  const found = new Set<ShardId>([root]);
  for (const { shard = root } of record.index) found.add(shard);
  for await (const { shard = root } of reader.tables(root, record)) found.add(shard);
  return found;
}

async function restored(): Promise<string> {
  const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
  const reader = new ShardReader(store, { owner, set: keys.set, setKey: keys.setKey, epochs });
  const root = store.head?.root;
  assert.ok(root);
  const record = await reader.snapshot(root);
  const target = join(folder, `restored-${root.slice(0, 8)}`);
  const onProgress = (): void => {};
  await runRestore({ reader, root, record, target, privileged: false, onProgress });
  return join(target, folder, "source");
}

describe("a run", () => {
  it("stores the bytes of equal files once, and leaves out what is excluded", async () => {
    const same = randomBytes(MIB);
    for (const name of ["a", "b", "c", "left-out"]) {
      writeFileSync(join(folder, "source", name), same);
    }
    const { figures, storedBytes } = await run();
    assert.equal(figures.files, 3);
    assert.ok(storedBytes < 1.2 * MIB, `${storedBytes}`);
    assert.deepEqual(readdirSync(await restored()), ["a", "b", "c"]);
  });

  it("in which only names and dates changed stores their directories, and restores", async () => {
    writeFileSync(join(folder, "source", "a"), randomBytes(MIB));
    mkdirSync(join(folder, "source", "empty"));
    await run();
    renameSync(join(folder, "source", "empty"), join(folder, "source", "moved"));
    const { figures, storedBytes, storedShards } = await run();
    assert.equal(figures.readFiles, 0);
    assert.equal(storedShards, 1);
    assert.ok(storedBytes < MIB / 8, `${storedBytes}`);
    assert.deepEqual(readdirSync(await restored()), ["a", "moved"]);
    assert.equal((await run()).storedShards, 1);
    assert.deepEqual(readdirSync(await restored()), ["a", "moved"]);
  });

  it("that was cut off is taken up by the next one", async () => {
    const names = Array.from({ length: 30 }, (_, at) => `f${at}`);
    for (const name of names) writeFileSync(join(folder, "source", name), randomBytes(MIB));
    store.failAfterPuts = 5;
    await assert.rejects(run(), /the daemon is gone/);
    assert.equal(store.head, null);
    assert.ok(store.listed.size >= 2, "no portion was listed");
    const kept = store.listed.size * SHARD_BYTES;
    const torn = store.listed.size * MIB;
    store.failAfterPuts = Number.POSITIVE_INFINITY;
    const { storedBytes } = await run();
    // A file may lie in two shards, and only one of them have been listed.
    assert.ok(storedBytes <= 31 * MIB - kept + torn, `${storedBytes} after ${kept}`);
    const back = await restored();
    for (const name of names) {
      const original = readFileSync(join(folder, "source", name));
      assert.ok(readFileSync(join(back, name)).equals(original));
    }
    const third = await run();
    assert.equal(third.figures.readFiles, 0);
  });

  it("of a stream that broke off has no snapshot, and is not stored again", async () => {
    const bytes = randomBytes(30 * MIB);
    const stream = (length: number): StreamSource => ({
      fileName: Buffer.from("dump"),
      read: async function* () {
        for (let at = 0; at < length; at += MIB)
          yield Uint8Array.from(bytes.subarray(at, at + MIB));
        if (length === bytes.length) return;
        while (store.listed.size < 2) await sleep(5);
        throw new Error("the program failed");
      },
    });
    const portionBytes = SHARD_BYTES;
    await assert.rejects(run("", { stream: stream(24 * MIB), portionBytes }), /program failed/);
    assert.equal(store.head, null);
    const kept = store.listed.size * SHARD_BYTES;
    assert.ok(kept >= 8 * MIB, `${kept}`);
    const { storedBytes, figures, record } = await run("", { stream: stream(bytes.length) });
    assert.ok(storedBytes <= 31 * MIB - kept + 4 * MIB, `${storedBytes} after ${kept}`);
    assert.deepEqual([figures.files, figures.bytes, record.bytes], [1, bytes.length, bytes.length]);
    const { storedBytes: again } = await run("", { stream: stream(bytes.length) });
    assert.ok(again < 64 * 1024, `${again}`);
    const file = join(await restored(), "../../..", "dump");
    assert.ok(readFileSync(file).equals(bytes));
  });

  it("names in its index all that one before had listed, wherever that was cut off", async () => {
    for (let at = 0; at < 30; at++) {
      writeFileSync(join(folder, "source", `f${at}`), randomBytes(MIB));
    }
    store.isAnswerLost = true;
    await assert.rejects(run(), /the answer is lost/);
    const listed = new Set(store.listed);
    assert.ok(listed.size >= 2, "no portion was listed");
    // What a power cut leaves of the next part.
    appendFileSync(join(folder, "cache", keys.set, "journal"), "half a part");
    await assert.rejects(run(), /the answer is lost/);
    assert.ok(store.listed.size > listed.size);
    store.isAnswerLost = false;
    await run();
    assert.deepEqual(store.listed.difference(await indexed()), new Set());
  });

  it("stores anew what the lists no longer name", async () => {
    writeFileSync(join(folder, "source", "a"), randomBytes(9 * MIB));
    await run();
    const [lost] = store.listed;
    assert.ok(lost && lost !== store.head?.root);
    store.listed.delete(lost);
    store.shards.delete(lost);
    const { storedBytes } = await run();
    assert.ok(storedBytes > MIB, `${storedBytes}`);
    const original = readFileSync(join(folder, "source", "a"));
    assert.ok(readFileSync(join(await restored(), "a")).equals(original));
  });

  it("goes on when the shard of the newest snapshot is lost", async () => {
    writeFileSync(join(folder, "source", "a"), randomBytes(2 * MIB));
    await run();
    writeFileSync(join(folder, "source", "b"), "2");
    const second = (await run()).head;
    store.listed.delete(second.root);
    store.shards.delete(second.root);
    for (const cache of ["kept", "gone"]) {
      if (cache === "gone") rmSync(join(folder, "cache"), { recursive: true });
      const { head, record } = await run();
      assert.deepEqual([head.number, head.previous], [1, null]);
      assert.notEqual(head.chain, second.chain);
      // Two lost in a row take the list of those before them with them.
      assert.equal(record.history[0]?.number, cache === "kept" ? 1 : undefined);
      const back = await restored();
      assert.deepEqual(readdirSync(back), ["a", "b"]);
      const original = readFileSync(join(folder, "source", "a"));
      assert.ok(readFileSync(join(back, "a")).equals(original));
      store.listed.delete(head.root);
      store.shards.delete(head.root);
    }
  });

  it("takes what vanishes on the way as if it had never been there", async () => {
    writeFileSync(join(folder, "source", "a"), "words");
    mkdirSync(join(folder, "source", "b"));
    writeFileSync(join(folder, "source", "c"), "words, too");
    writeFileSync(join(folder, "source", "left-out"), "");
    // Asked last, when the others were looked at and not yet opened.
    onLeftOut = () => {
      rmSync(join(folder, "source", "a"));
      rmSync(join(folder, "source", "b"), { recursive: true });
    };
    const { figures } = await run();
    assert.deepEqual([figures.files, figures.bytes, figures.unreadable], [1, 10, []]);
    assert.deepEqual(readdirSync(await restored()), ["c"]);
  });

  it("leaves out what is mounted below, when it is told to", async (test) => {
    if (process.getuid?.() !== 0) return test.skip("only root may mount");
    const mounted = join(folder, "source", "mounted");
    mkdirSync(mounted);
    writeFileSync(join(folder, "source", "a"), "words");
    assert.equal(spawnSync("mount", ["-t", "tmpfs", "none", mounted]).status, 0);
    try {
      writeFileSync(join(mounted, "elsewhere"), "words");
      assert.equal((await run()).figures.files, 2);
      const { figures } = await run(undefined, { oneFileSystem: true });
      assert.deepEqual([figures.files, figures.unreadable], [1, []]);
      const target = await restored();
      assert.deepEqual(readdirSync(target), ["a", "mounted"]);
      assert.deepEqual(readdirSync(join(target, "mounted")), []);
      // Also when the mounted directory is what was asked for.
      assert.equal((await run(mounted, { oneFileSystem: true })).figures.files, 1);
    } finally {
      spawnSync("umount", [mounted]);
    }
  });

  it("stores of an image only the cells of 4 MiB that changed", async () => {
    const image = join(folder, "source", "image");
    const bytes = randomBytes(18 * MIB);
    writeFileSync(image, bytes);
    await run(undefined, { cut: "fixed" });
    bytes.fill(7, 9 * MIB, 9 * MIB + 4096);
    writeFileSync(image, bytes);
    const { storedBytes } = await run(undefined, { cut: "fixed" });
    assert.ok(storedBytes > 4 * MIB && storedBytes < 5 * MIB, `${storedBytes}`);
    assert.deepEqual(readFileSync(join(await restored(), "image")), bytes);
  });

  it("follows a link that is one of its paths", async () => {
    writeFileSync(join(folder, "source", "a"), "words");
    symlinkSync(join(folder, "source"), join(folder, "link"));
    const { figures } = await run(join(folder, "link"));
    assert.equal(figures.files, 1);
    assert.equal(readFileSync(join(await restored(), "../link/a"), "utf8"), "words");
  });

  it("says so when a path leads through a file, or nowhere", async () => {
    writeFileSync(join(folder, "source", "a"), "words");
    symlinkSync(join(folder, "nowhere"), join(folder, "link"));
    for (const path of ["source/a/below", "source/none", "none/below", "link"]) {
      await assert.rejects(run(join(folder, path)), { code: "E-BACKUP-PATH" }, path);
    }
  });

  it("goes on with its chain", async () => {
    writeFileSync(join(folder, "source", "a"), "1");
    const first = (await run()).head;
    const second = (await run()).head;
    assert.deepEqual([second.chain, second.number, second.previous], [first.chain, 2, first.root]);
  });

  it("does not overlap with another one", async () => {
    writeFileSync(join(folder, "source", "a"), randomBytes(9 * MIB));
    const outcomes = await Promise.allSettled([run(), run()]);
    const codes = outcomes.map((one) =>
      one.status === "rejected" ? (one.reason as { readonly code: string }).code : "done",
    );
    assert.deepEqual(codes.toSorted(), ["E-BACKUP-BUSY", "done"]);
  });
});
