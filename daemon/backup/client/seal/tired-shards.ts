/**
 * Shards that the next run leaves out of its index, so that what is used of them is stored anew:
 * `tired` beside the other caches of a set, one name a line, are those that are little used, and
 * `damaged` those of which a verification found no good copy. Without the files none is left out.
 */
import type { ShardId } from "../../../../protocol/ids.ts";
import { readShardNames, writeShardNames } from "../shard-names.ts";

/** @param folder - Of the caches of the set. */
export function readTired(folder: string): ReadonlySet<ShardId> {
  return new Set([...readShardNames(folder, "tired"), ...readShardNames(folder, "damaged")]);
}

/** @throws BackupError E-BACKUP-SPACE when the disk of the caches is full; the old ones stay. */
export function writeTired(folder: string, shards: Iterable<ShardId>): void {
  writeShardNames(folder, "tired", shards);
}

/**
 * In the place of what an earlier verification found.
 *
 * @throws BackupError as {@link writeTired}.
 */
export function writeDamaged(folder: string, shards: Iterable<ShardId>): void {
  writeShardNames(folder, "damaged", shards);
}
