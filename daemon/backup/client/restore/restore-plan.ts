/** What a restore will bring back, how much it is, and where it comes from: nothing is written. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import type { SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import { ChunkLocator } from "../seal/chunk-locator.ts";
import { dataBytes } from "../read/content-plan.ts";
import { RestoreSelection, type Wanted } from "./restore-selection.ts";
import type { ShardReader } from "../shard-reader.ts";
import { TreeReader } from "./tree-reader.ts";

export interface RestorePlan {
  /** Regular files, and the bytes they have. */
  readonly files: number;
  readonly bytes: number;
  /** Room that they take: holes do not count, hard-linked files count once. */
  readonly roomBytes: number;
  /** Shards that are needed and lie in the local store, and those that holders have to give. */
  readonly localShards: number;
  readonly remoteShards: number;
  /** Undefined where nothing was read yet that tells how fast it goes. */
  readonly seconds: number | undefined;
  /** Paths that were asked for and are not in the snapshot. */
  readonly missing: readonly string[];
}

/** Where the chunks of a snapshot are. */
export async function locate(
  reader: ShardReader,
  root: ShardId,
  record: SnapshotRecord,
): Promise<ChunkLocator> {
  const locator = new ChunkLocator();
  for await (const table of reader.tables(root, record)) locator.add(table, ["data", "tree"]);
  return locator;
}

/**
 * Everything is counted by the record; some paths, and the shards of these, by a walk of the trees.
 *
 * @param only - As in a restore.
 * @param countAll - Walk for everything, too: then only shards that are needed are counted.
 */
export async function planRestore(
  reader: ShardReader,
  record: SnapshotRecord,
  locator: ChunkLocator,
  only: readonly Uint8Array[],
  countAll: boolean,
): Promise<RestorePlan> {
  const selection = new RestoreSelection(only);
  const isWalked = !selection.isWhole || countAll;
  const counted = isWalked
    ? await walk(reader, record, locator, selection)
    : { ...record, shards: locator.shards };
  const { folder } = reader;
  const isHere = (shard: ShardId): boolean =>
    folder !== undefined && existsSync(join(folder, shard.slice(0, 2), shard));
  const shards = [...counted.shards];
  const localShards = shards.filter(isHere).length;
  const remoteShards = shards.length - localShards;
  const { files, bytes, roomBytes } = counted;
  const seconds = secondsFor(reader, localShards, remoteShards);
  return {
    files,
    bytes,
    roomBytes,
    localShards,
    remoteShards,
    seconds,
    missing: selection.missing,
  };
}

/** By the rates at which the index and the trees came. */
function secondsFor({ measured }: ShardReader, local: number, remote: number): number | undefined {
  const rate = ({ bytes, ms }: { bytes: number; ms: number }): number => (bytes / ms) * 1000;
  const { file, daemon } = measured;
  if ((local > 0 && file.ms === 0) || (remote > 0 && daemon.ms === 0)) return undefined;
  const localSeconds =
    local === 0 ? 0 : (local * SHARD_BYTES) / (rate(file) * availableParallelism());
  return localSeconds + (remote === 0 ? 0 : (remote * SHARD_BYTES) / rate(daemon));
}

async function walk(
  reader: ShardReader,
  record: SnapshotRecord,
  locator: ChunkLocator,
  selection: RestoreSelection,
) {
  const trees = new TreeReader(reader, locator, chunkIdKey(reader.keys.setKey, "tree"));
  const shards = new Set<ShardId>();
  const links = new Set<number>();
  let [files, bytes, roomBytes] = [0, 0, 0];
  const fill = async (ids: Uint8Array, wanted: Wanted): Promise<void> => {
    for await (const entries of trees.directory(ids)) {
      for (const entry of entries) {
        const below = selection.of(wanted, entry.name, entry.kind === "directory");
        if (below === false) continue;
        if (entry.kind === "directory") await fill(entry.chunks, below);
        if (entry.kind !== "file") continue;
        files += 1;
        bytes += entry.sizeBytes;
        if (entry.link !== undefined && links.has(entry.link)) continue;
        if (entry.link !== undefined) links.add(entry.link);
        roomBytes += dataBytes(entry);
        for (let at = 0; at < entry.chunks.length; at += CHUNK_ID_BYTES) {
          const id = entry.chunks.subarray(at, at + CHUNK_ID_BYTES);
          for (const { shard } of locator.find(id)) shards.add(shard);
        }
      }
    }
  };
  await fill(record.tree, selection.root);
  return { files, bytes, roomBytes, shards };
}
