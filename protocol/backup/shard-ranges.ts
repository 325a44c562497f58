/**
 * A shard in ranges of 256 KiB, each verified before it is used.
 *
 * The roots of all ranges travel ahead of the bytes: at most 16 hashes, 512 bytes. They are one
 * level of the shard's own Merkle tree, so they prove themselves against its identifier, and then
 * each range against one of them. That is the proof of every range at once, and less than a path
 * for each of them would be.
 */
import type { OwnerId, SetId, ShardId } from "../ids.ts";
import {
  HASH_BYTES,
  isShardSize,
  merkleRoot,
  merkleRootAbove,
  RANGE_BYTES,
  SHARD_BYTES,
  shardIdOfRoot,
} from "./shard-id.ts";

/** Roots of a full shard. */
export const MAX_ROOTS_BYTES = (SHARD_BYTES / RANGE_BYTES) * HASH_BYTES;

/** Which shard, and how large it is. */
export interface SizedShard {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly shard: ShardId;
  readonly sizeBytes: number;
}

/** The roots of a shard's ranges, one after another. @throws RangeError for no shard's size. */
export function rangeRoots(bytes: Uint8Array): Uint8Array {
  if (!isShardSize(bytes.length)) throw new RangeError(`shard of ${bytes.length} bytes`);
  const roots = new Uint8Array(Math.ceil(bytes.length / RANGE_BYTES) * HASH_BYTES);
  for (let at = 0, to = 0; at < bytes.length; at += RANGE_BYTES, to += HASH_BYTES) {
    roots.set(merkleRoot(bytes.subarray(at, at + RANGE_BYTES)), to);
  }
  return roots;
}

/** Whether these are the roots of that shard. False for anything malformed. */
export function areRootsOf({ owner, set, shard, sizeBytes }: SizedShard, roots: Uint8Array) {
  if (!isShardSize(sizeBytes)) return false;
  if (roots.length !== Math.ceil(sizeBytes / RANGE_BYTES) * HASH_BYTES) return false;
  return shardIdOfRoot(owner, set, sizeBytes, merkleRootAbove(roots)) === shard;
}

/** Where a shard may be gone on with: the start of one of its ranges. */
export function isRangeStart(sizeBytes: number, offsetBytes: number): boolean {
  return offsetBytes >= 0 && offsetBytes < sizeBytes && offsetBytes % RANGE_BYTES === 0;
}

/** How long the range at an offset is. */
export function rangeBytesAt(sizeBytes: number, offsetBytes: number): number {
  return Math.min(RANGE_BYTES, sizeBytes - offsetBytes);
}

/**
 * Whether these bytes are the whole range at an offset of the shard with these roots.
 *
 * @param roots - Checked with {@link areRootsOf} before.
 */
export function isRange(
  sizeBytes: number,
  roots: Uint8Array,
  offsetBytes: number,
  bytes: Uint8Array,
): boolean {
  if (!isRangeStart(sizeBytes, offsetBytes)) return false;
  if (bytes.length !== rangeBytesAt(sizeBytes, offsetBytes)) return false;
  const at = (offsetBytes / RANGE_BYTES) * HASH_BYTES;
  return Buffer.compare(merkleRoot(bytes), roots.subarray(at, at + HASH_BYTES)) === 0;
}
