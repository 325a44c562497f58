/**
 * Which chunks the newest snapshot uses: by its directories, or, where the keys of some are
 * erased, by what the last run has seen and kept beside the keys.
 */
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import type { SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import type { ChunkLocator } from "./chunk-locator.ts";
import type { ShardReader } from "../shard-reader.ts";
import { TreeReader } from "../restore/tree-reader.ts";
import type { WalkCache } from "../read/walk-cache.ts";

/**
 * @param openCache - Opens what the run of that snapshot has seen; it is closed here.
 * @returns Their ids, a byte a character; undefined when it cannot be told.
 */
export async function liveChunks(
  reader: ShardReader,
  newest: SnapshotRecord,
  locator: ChunkLocator,
  openCache: () => WalkCache | undefined,
): Promise<ReadonlySet<string> | undefined> {
  const { epochs } = reader.keys;
  if ([...locator.epochs].every((epoch) => epochs.has(epoch))) {
    return liveByTrees(reader, newest, locator);
  }
  const cache = openCache();
  return cache === undefined ? undefined : liveByCache(cache, newest);
}

async function liveByTrees(
  reader: ShardReader,
  newest: SnapshotRecord,
  locator: ChunkLocator,
): Promise<ReadonlySet<string>> {
  const live = new Set<string>();
  const trees = new TreeReader(reader, locator, chunkIdKey(reader.keys.setKey, "tree"));
  const open: Uint8Array[] = [newest.tree];
  for (let ids = open.pop(); ids !== undefined; ids = open.pop()) {
    noteIds(live, ids);
    for await (const entries of trees.directory(ids)) {
      for (const entry of entries) {
        if (entry.kind === "directory") open.push(entry.chunks);
        else if (entry.kind === "file") noteIds(live, entry.chunks);
      }
    }
  }
  return live;
}

function liveByCache(cache: WalkCache, newest: SnapshotRecord): ReadonlySet<string> {
  const live = new Set<string>();
  try {
    noteIds(live, newest.tree);
    for (const { ids, entries } of cache.directories()) {
      noteIds(live, ids);
      for (const entry of entries.values()) {
        if (entry.kind === "directory" || entry.kind === "file") noteIds(live, entry.chunks);
      }
    }
  } finally {
    cache.close();
  }
  return live;
}

function noteIds(live: Set<string>, ids: Uint8Array): void {
  for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
    live.add(Buffer.from(ids.subarray(at, at + CHUNK_ID_BYTES)).toString("latin1"));
  }
}
