/**
 * Which shards of earlier runs a run builds on.
 *
 * Each run leaves one shard that is not full. When many of them have gathered, they are left out:
 * the run stores what it needs of them anew, in full shards, and writes an index without them.
 * Older snapshots keep their own index, and the shards stay where they are.
 */
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";

/** More shards that are not full are left out. */
const MAX_REMAINDERS = 32;
/** With more index chunks than this, the run writes the whole index anew. */
const MAX_INDEX_CHUNKS = 32;

export interface KeptTables {
  /** What is known: chunks of these shards are not stored again. */
  readonly tables: readonly ShardTable[];
  /** Whether the index has to be written anew, because some tables or too many chunks are in it. */
  readonly newIndex: boolean;
}

/**
 * @param tables - Of all shards that the index of the newest snapshot names.
 * @param listed - Shards of the newest lists; whatever lies in another one counts as lost.
 * @param indexChunks - How many chunks the index has.
 */
export function keepTables(
  tables: readonly ShardTable[],
  listed: ReadonlySet<ShardId>,
  indexChunks: number,
): KeptTables {
  const there = tables.filter(({ shard }) => shard !== undefined && listed.has(shard));
  const full = there.filter(({ sizeBytes }) => sizeBytes === SHARD_BYTES);
  const tired = there.length - full.length > MAX_REMAINDERS;
  const kept = tired ? full : there;
  const newIndex = kept.length < tables.length || indexChunks >= MAX_INDEX_CHUNKS;
  return { tables: kept, newIndex };
}
