/**
 * Snapshots that were forgotten and that the history still names until the next run.
 *
 * That a root is listed does not tell: it may hold content that later snapshots were built on, and
 * then it stays, while other shards of its snapshot have left the lists. So those that are to be
 * forgotten are written down before the lists change, in `forgotten` beside the caches of the set. The
 * next run leaves out of the history those of them that the lists have let go.
 */
import { PleachError } from "../../../../protocol/error.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { listedOf, type SnapshotLine } from "../../../core/backup/snapshot-line.ts";
import type { ShardReader } from "../shard-reader.ts";
import { readShardNames, writeShardNames } from "../shard-names.ts";
import { SnapshotShards } from "../verify/snapshot-shards.ts";

/** @param folder - Of the caches of the set. @returns the roots of such snapshots. */
export function readForgotten(folder: string): ReadonlySet<ShardId> {
  return new Set(readShardNames(folder, "forgotten"));
}

/** @throws BackupError E-BACKUP-SPACE when the disk of the caches is full; the old file stays. */
export function writeForgotten(folder: string, roots: Iterable<ShardId>): void {
  writeShardNames(folder, "forgotten", roots);
}

/**
 * The snapshots that are left of a line after some were to be forgotten. Where the forgetting was cut
 * off before the lists changed they are all left, so that the next one drops what only they need.
 *
 * @param listed - Shards that the lists name.
 * @param forgotten - Roots of those that were to be forgotten.
 */
export async function withoutForgotten(
  reader: ShardReader,
  line: SnapshotLine,
  listed: ReadonlySet<ShardId>,
  forgotten: ReadonlySet<ShardId>,
): Promise<SnapshotLine> {
  const known = listedOf(line, listed);
  const doubtful = known.filter(({ root }) => forgotten.has(root));
  if (doubtful.length === 0) return known;
  const shardsOf = new SnapshotShards(reader);
  try {
    const kept = known.filter(({ root }) => !forgotten.has(root));
    const needed = await shardsOf.of(kept);
    const left = new Set<ShardId>();
    for (const { root } of doubtful) {
      const theirs = await shardsOf.ifListed(root, listed);
      if (theirs?.keys().some((shard) => !needed.has(shard)) === true) left.add(root);
    }
    return known.filter(({ root }) => !forgotten.has(root) || left.has(root));
  } catch (error) {
    // A record or an index that cannot be read now may be readable at the next run.
    if (!(error instanceof PleachError)) throw error;
    return known;
  }
}
