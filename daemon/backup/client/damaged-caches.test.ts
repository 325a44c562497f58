import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { ShardTable } from "../../../protocol/backup/chunk-index.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import { SHARD_BYTES } from "../../../protocol/backup/shard-id.ts";
import { encodeTable } from "../../../protocol/backup/shard-table.ts";
import { encodeTrees } from "../../../protocol/backup/tree-encode.ts";
import type { TreeEntry } from "../../../protocol/backup/tree.ts";
import { RunJournal } from "./run/run-journal.ts";
import { readTableCache, writeTableCache } from "./seal/table-cache.ts";
import { WalkCache, WalkCacheWriter } from "./read/walk-cache.ts";

const root = "ab".repeat(32) as ShardId;
const paths = ["/srv", "/srv/data", ""];

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "pleach-caches-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fifo = (name: string): TreeEntry => ({
  kind: "fifo",
  name: Buffer.from(name),
  mode: 0o640,
  uid: 7,
  gid: 8,
  mtime: { seconds: 1, nanos: 2 },
  xattrs: [],
});

function table(number: number): ShardTable {
  const chunkId = new Uint8Array(32).fill(number);
  const pieces = [{ chunkId, length: 5, chunkOffset: 0, chunkLength: 5 }];
  const frame = { kind: "data", codec: "stored", sealedLength: 45, plainLength: 5 } as const;
  return {
    shard: number.toString(16).padStart(2, "0").repeat(32) as ShardId,
    sizeBytes: SHARD_BYTES,
    keyEpoch: 1,
    table: encodeTable([{ ...frame, pieces }]),
  };
}

/** Calls `act` with each version of a file that a bad disk could have made of it. */
function forEachDamage(file: string, act: (what: string) => void): void {
  const whole = readFileSync(file);
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    writeFileSync(file, changed);
    act(`byte ${at}`);
  }
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(file, whole);
    truncateSync(file, length);
    act(`cut at ${length}`);
  }
  writeFileSync(file, whole);
}

describe("what a run keeps for the next one, and a disk has changed,", () => {
  it("is not believed: the walk of the last run", () => {
    const file = join(folder, "walk");
    const writer = new WalkCacheWriter(file);
    for (const path of paths) {
      const ids = new Uint8Array(32).fill(path.length);
      writer.add(path, ids, encodeTrees([fifo("a"), fifo(`b${path.length}`)]));
    }
    writer.publish(root);
    const read = () => {
      const cache = WalkCache.open(file, root);
      const found = paths.map((path) => cache?.directory(path));
      cache?.close();
      return found;
    };
    const sound = read();
    assert.ok(sound.every((directory) => directory?.entries.size === 2));
    forEachDamage(file, (what) => {
      read().forEach((directory, at) => {
        if (directory !== undefined) assert.deepEqual(directory, sound[at], what);
      });
    });
    assert.equal(WalkCache.open(file, "cd".repeat(32) as ShardId), undefined);
  });

  it("is not believed: the tables of all shards", () => {
    const file = join(folder, "tables");
    const tables = [table(1), table(2)];
    writeTableCache(file, root, tables);
    assert.equal(readTableCache(file, root)?.length, 2);
    forEachDamage(file, (what) => assert.equal(readTableCache(file, root), undefined, what));
  });

  it("is believed as far as it is whole: the journal of a run that was cut off", () => {
    const file = join(folder, "journal");
    const journal = new RunJournal(file);
    const tables = [table(1), table(2), table(3)];
    journal.append(tables);
    const sound = journal.read();
    assert.equal(sound.length, 3);
    forEachDamage(file, (what) => {
      const read = journal.read();
      assert.deepEqual(read, sound.slice(0, read.length), what);
    });
    truncateSync(file, statSync(file).size - 1);
    const next = new RunJournal(file);
    assert.equal(next.read().length, 2);
    next.append([table(4)]);
    const read = next.read();
    assert.deepEqual(read.slice(0, 2), sound.slice(0, 2));
    assert.equal(read[2]?.shard, table(4).shard);
  });
});
