import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { ShardId } from "../../../protocol/ids.ts";
import {
  plantFile,
  plantSnapshot,
  type PlantedSnapshot,
} from "../../../test-mesh/fakes/snapshot.ts";
import { runRestore } from "./restore/restore-run.ts";
import { ShardReader } from "./shard-reader.ts";

let scratch = "";

beforeEach(() => (scratch = mkdtempSync(join(tmpdir(), "pleach-local-"))));
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** Restores with the files of the store at hand. @returns The shards that were asked for. */
async function restore({ reader, shards, root, record }: PlantedSnapshot) {
  const asked: ShardId[] = [];
  const source = {
    get: async (shard: ShardId): Promise<Uint8Array> => {
      asked.push(shard);
      return Uint8Array.from(shards.get(shard) ?? []);
    },
  };
  const local = new ShardReader(source, reader.keys, join(scratch, "store"));
  const target = join(scratch, "target");
  await runRestore({
    reader: local,
    root,
    record,
    target,
    privileged: false,
    onProgress: () => {},
  });
  assert.equal(readFileSync(join(target, "a"), "utf8"), "words");
  assert.equal(readFileSync(join(target, "b"), "utf8"), "more words");
  return asked;
}

function pathOf(shard: ShardId): string {
  const folder = join(scratch, "store", shard.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  return join(folder, shard);
}

describe("files of the local store", () => {
  const planted = (): PlantedSnapshot => {
    return plantSnapshot([plantFile("a", "words"), plantFile("b", "more words")]);
  };

  it("are read without asking for them", async () => {
    const snapshot = planted();
    for (const [shard, bytes] of snapshot.shards) writeFileSync(pathOf(shard), bytes);
    assert.deepEqual(await restore(snapshot), []);
  });

  it("are asked for when they are not there, cut short, links, or another shard", async () => {
    const ways = [
      () => {},
      (path: string, bytes: Uint8Array) => writeFileSync(path, bytes.subarray(0, 2048)),
      (path: string) => symlinkSync("/dev/zero", path),
      (path: string) => writeFileSync(path, [...planted().shards.values()][0] ?? ""),
    ];
    for (const damage of ways) {
      const snapshot = planted();
      for (const [shard, bytes] of snapshot.shards) damage(pathOf(shard), bytes);
      assert.ok((await restore(snapshot)).length > 0);
      rmSync(join(scratch, "target"), { recursive: true });
      rmSync(join(scratch, "store"), { recursive: true });
    }
  });

  it("are asked for when any of their frames is damaged", async () => {
    const snapshot = planted();
    // Each eighth of the shard in turn: header, frames, table.
    for (let part = 0; part < 8; part++) {
      for (const [shard, bytes] of snapshot.shards) {
        const changed = Uint8Array.from(bytes);
        const at = Math.floor((bytes.length * part) / 8) + 100;
        changed[at] = (changed[at] ?? 0) ^ 1;
        writeFileSync(pathOf(shard), changed);
      }
      assert.ok((await restore(snapshot)).length > 0, `part ${part}`);
      rmSync(join(scratch, "target"), { recursive: true });
    }
  });
});
