import assert from "node:assert/strict";
import { test } from "node:test";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import type { TreeEntry } from "../../../../protocol/backup/tree.ts";
import { PLAIN, plantSnapshot, type Planted } from "../../../../test-mesh/fakes/snapshot.ts";
import { ChunkLocator } from "../seal/chunk-locator.ts";
import { TreeReader } from "./tree-reader.ts";

/** More than TreeReader keeps at hand. */
const DIRECTORIES = 9;
/** With an attribute of this size forty entries fill a frame; zeros take no room in the shard. */
const VALUE_BYTES = 60_000;
const ENTRIES = 40;

function heavyDirectory(name: string): Planted {
  const xattrs = [[Buffer.from("user.zeros"), new Uint8Array(VALUE_BYTES)]] as const;
  const below = Array.from({ length: ENTRIES }, (_, at): Planted => {
    const number = String(at).padStart(3, "0");
    return { entry: { ...PLAIN, xattrs, kind: "fifo", name: Buffer.from(`${name}-${number}`) } };
  });
  const entry = { ...PLAIN, kind: "directory", name: Buffer.from(name) } as const;
  return { entry: { ...entry, chunks: new Uint8Array(0) }, below };
}

async function allOf(trees: TreeReader, ids: Uint8Array): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  for await (const some of trees.directory(ids)) entries.push(...some);
  return entries;
}

test("entries stay as they are while more frames are read than are kept", async () => {
  const names = Array.from({ length: DIRECTORIES }, (_, at) => `directory-${at}`);
  const { reader, root, record } = plantSnapshot(names.map(heavyDirectory));
  const locator = new ChunkLocator();
  for await (const table of reader.tables(root, record)) locator.add(table, ["tree"]);
  const trees = new TreeReader(reader, locator, chunkIdKey(reader.keys.setKey, "tree"));
  const top = await allOf(trees, record.tree);
  const found: TreeEntry[][] = [];
  for (const entry of top) {
    assert.ok(entry.kind === "directory");
    found.push(await allOf(trees, entry.chunks));
  }
  assert.deepEqual(
    top.map(({ name }) => Buffer.from(name).toString()),
    names,
  );
  for (const [at, entries] of found.entries()) {
    assert.equal(entries.length, ENTRIES);
    const [first] = entries;
    assert.equal(Buffer.from(first?.name ?? []).toString(), `directory-${at}-000`);
  }
});
