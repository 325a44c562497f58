/**
 * The name of a shard: a Merkle tree over its ciphertext, bound to owner, data set and size.
 *
 * Anyone can name, verify and audit a shard without a key. The tree has the shape of RFC 6962
 * section 2.1: leaves of 4 KiB are paired from the left, a node without a partner rises as it is.
 * Therefore an aligned run of 64 leaves (256 KiB) is a subtree of its own, and can be verified
 * alone with the few hashes above it.
 *
 * ```
 * leaf    = SHA-256(0x00 | 4096 bytes)
 * node    = SHA-256(0x01 | left | right)
 * shardId = SHA-256("pleach/shard/1" | 0x00 | owner | set | size as uint32 BE | root)
 * ```
 */
import { hash } from "node:crypto";
import { idBytes, idOf, type OwnerId, type SetId, type ShardId } from "../ids.ts";

/** What an audit asks for and what a leaf hash covers. Every shard is a multiple of it. */
export const LEAF_BYTES = 4096;
/** The size of a full shard, and the most that any shard has. */
export const SHARD_BYTES = 4 * 1024 * 1024;
/** A range that is sent, and verified, on its own: 64 leaves. */
export const RANGE_BYTES = 256 * 1024;

/** Of each hash in the tree. */
export const HASH_BYTES = 32;
const ID_DOMAIN = Buffer.from("pleach/shard/1\0");

/** Whether a shard may have this size: 4 KiB to 4 MiB in steps of 4 KiB. */
export function isShardSize(sizeBytes: number): boolean {
  return (
    Number.isSafeInteger(sizeBytes) &&
    sizeBytes >= LEAF_BYTES &&
    sizeBytes <= SHARD_BYTES &&
    sizeBytes % LEAF_BYTES === 0
  );
}

/** The name of these bytes. @throws RangeError for a size that no shard has. */
export function shardIdOf(owner: OwnerId, set: SetId, bytes: Uint8Array): ShardId {
  return shardIdOfRoot(owner, set, bytes.length, merkleRoot(bytes));
}

/** The name of a shard of which only size and root are known. */
export function shardIdOfRoot(
  owner: OwnerId,
  set: SetId,
  sizeBytes: number,
  root: Uint8Array,
): ShardId {
  if (!isShardSize(sizeBytes)) throw new RangeError(`shard of ${sizeBytes} bytes`);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(sizeBytes);
  const named = Buffer.concat([ID_DOMAIN, idBytes(owner), idBytes(set), size, root]);
  return idOf<ShardId>(hash("sha256", named, "buffer"));
}

/** The Merkle root (32 bytes). @throws RangeError for a size that no shard has. */
export function merkleRoot(bytes: Uint8Array): Uint8Array {
  return merkleRootAbove(leafHashes(bytes));
}

/**
 * The hashes that prove an aligned range of a shard, from the lowest level to the root.
 *
 * @param offsetBytes - Start of the range, a multiple of `rangeBytes`.
 * @param rangeBytes - 4 KiB times a power of two; the last range of a shard may be cut short.
 * @throws RangeError when the range is not aligned or not inside, which is a bug in the caller.
 */
export function merkleProof(
  bytes: Uint8Array,
  offsetBytes: number,
  rangeBytes: number,
): readonly Uint8Array[] {
  const first = checkedRange(bytes.length, offsetBytes, rangeBytes);
  let level = leafHashes(bytes);
  for (let width = rangeBytes / LEAF_BYTES; width > 1; width /= 2) level = levelAbove(level);
  const proof: Uint8Array[] = [];
  for (let at = first; level.length > HASH_BYTES; at >>= 1) {
    const sibling = (at ^ 1) * HASH_BYTES;
    if (sibling < level.length) {
      proof.push(Uint8Array.from(level.subarray(sibling, sibling + HASH_BYTES)));
    }
    level = levelAbove(level);
  }
  return proof;
}

/** A range of a shard, as a peer sent it. */
export interface ShardRange {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly shard: ShardId;
  /** Size of the whole shard, in bytes. */
  readonly sizeBytes: number;
  readonly offsetBytes: number;
  /** Width of the grid of ranges: 4 KiB times a power of two. */
  readonly rangeBytes: number;
  /** The bytes from the offset on: `rangeBytes`, or what is left of the shard. */
  readonly bytes: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** Whether the bytes are that range of that shard. False for anything malformed. */
export function verifyRange(range: ShardRange): boolean {
  const { sizeBytes, offsetBytes, rangeBytes, bytes, proof } = range;
  if (!isShardSize(sizeBytes) || !isAligned(sizeBytes, offsetBytes, rangeBytes)) return false;
  if (bytes.length !== Math.min(rangeBytes, sizeBytes - offsetBytes)) return false;
  let node = merkleRootAbove(leafHashes(bytes));
  let nodes = Math.ceil(sizeBytes / rangeBytes);
  let used = 0;
  for (let at = offsetBytes / rangeBytes; nodes > 1; at >>= 1) {
    if ((at ^ 1) < nodes) {
      const sibling = proof[used++];
      if (sibling?.length !== HASH_BYTES) return false;
      node = at % 2 === 0 ? nodeHash(node, sibling) : nodeHash(sibling, node);
    }
    nodes = Math.ceil(nodes / 2);
  }
  if (used !== proof.length) return false;
  return shardIdOfRoot(range.owner, range.set, sizeBytes, node) === range.shard;
}

/**
 * The Padmé size for so many bytes, in whole leaves: at most 12 % are added, and the size tells
 * a holder only O(log log n) bits.
 *
 * Source: Nikitin et al.: Reducing metadata leakage from encrypted files and communication with
 * PURBs. PoPETs 2019(4), algorithm 1.
 *
 * @throws RangeError when no shard is large enough.
 */
export function paddedShardBytes(contentBytes: number): number {
  const leaves = Math.max(1, Math.ceil(contentBytes / LEAF_BYTES));
  const exponent = Math.floor(Math.log2(leaves));
  const kept = exponent === 0 ? 0 : Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** Math.max(0, exponent - kept);
  const padded = Math.ceil(leaves / step) * step * LEAF_BYTES;
  if (!isShardSize(padded)) throw new RangeError(`${contentBytes} bytes do not fit in a shard`);
  return padded;
}

/** All leaf hashes, one after another. */
function leafHashes(bytes: Uint8Array): Uint8Array {
  if (!isShardSize(bytes.length)) throw new RangeError(`shard of ${bytes.length} bytes`);
  const count = bytes.length / LEAF_BYTES;
  const hashes = Buffer.alloc(count * HASH_BYTES);
  const tagged = new Uint8Array(1 + LEAF_BYTES);
  for (let leaf = 0; leaf < count; leaf++) {
    tagged.set(bytes.subarray(leaf * LEAF_BYTES, (leaf + 1) * LEAF_BYTES), 1);
    // As text: a buffer of its own for each hash costs more than the hash of small leaves.
    hashes.write(hash("sha256", tagged, "hex"), leaf * HASH_BYTES, "hex");
  }
  return hashes;
}

/** The root above hashes of one level, which stand one after another. */
export function merkleRootAbove(nodes: Uint8Array): Uint8Array {
  let level = nodes;
  while (level.length > HASH_BYTES) level = levelAbove(level);
  return level;
}

function levelAbove(level: Uint8Array): Uint8Array {
  const count = level.length / HASH_BYTES;
  const above = Buffer.alloc(Math.ceil(count / 2) * HASH_BYTES);
  const tagged = new Uint8Array(1 + 2 * HASH_BYTES);
  tagged[0] = 1;
  for (let left = 0; left < count; left += 2) {
    const nodes = level.subarray(left * HASH_BYTES, (left + 2) * HASH_BYTES);
    const at = (left / 2) * HASH_BYTES;
    tagged.set(nodes, 1);
    if (nodes.length === HASH_BYTES) above.set(nodes, at);
    else above.write(hash("sha256", tagged, "hex"), at, "hex");
  }
  return above;
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const tagged = new Uint8Array(1 + 2 * HASH_BYTES);
  tagged[0] = 1;
  tagged.set(left, 1);
  tagged.set(right, 1 + HASH_BYTES);
  return hash("sha256", tagged, "buffer");
}

function isAligned(sizeBytes: number, offsetBytes: number, rangeBytes: number): boolean {
  return (
    isShardSize(rangeBytes) &&
    Number.isInteger(Math.log2(rangeBytes / LEAF_BYTES)) &&
    Number.isSafeInteger(offsetBytes) &&
    offsetBytes >= 0 &&
    offsetBytes < sizeBytes &&
    offsetBytes % rangeBytes === 0
  );
}

/** The number of the range on its grid. */
function checkedRange(sizeBytes: number, offsetBytes: number, rangeBytes: number): number {
  if (!isAligned(sizeBytes, offsetBytes, rangeBytes)) {
    throw new RangeError(`range ${offsetBytes}+${rangeBytes} of ${sizeBytes} bytes`);
  }
  return offsetBytes / rangeBytes;
}
