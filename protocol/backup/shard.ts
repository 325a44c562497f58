/**
 * The clear side of a shard: its header, and the check that needs no key.
 *
 * ```
 *   0    8  magic "PLEACHSH"
 *   8    1  format version: 1
 *   9    1  suite: 1
 *  10    2  zero
 *  12    4  key epoch, uint32 BE
 *  16   16  set id
 *  32   32  owner id
 *  64   32  shard nonce: salt of the shard's key
 *  96  192  capsule: the keys of set and epoch, sealed to the owner (capsule.ts)
 * 288   48  lead, sealed: where the table of contents is
 * 336    -  frames and, last, the table of contents with the padding, all sealed
 * ```
 *
 * What the sealed part means stands in sealed-shard.ts. A full shard has exactly 4 MiB, the last
 * one of a run its Padmé size. The header is associated data of every sealed frame, so that every
 * byte of a shard is authenticated twice: by its name and by the owner's keys.
 */
import { PleachError } from "../error.ts";
import { idBytes, parseId, type OwnerId, type SetId, type ShardId } from "../ids.ts";
import { isShardSize, shardIdOf } from "./shard-id.ts";

export const HEADER_BYTES = 288;
export const CAPSULE_BYTES = 192;
export const SHARD_NONCE_BYTES = 32;
/** The largest key epoch that fits the header. */
export const MAX_KEY_EPOCH = 2 ** 32 - 1;

const MAGIC = Buffer.from("PLEACHSH");
const VERSION = 1;
const SUITE = 1;

/** Whether a number can be that of a key epoch. */
export function isKeyEpoch(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= MAX_KEY_EPOCH;
}

export interface ShardHeader {
  readonly owner: OwnerId;
  readonly set: SetId;
  /** 0 or more; 1 for the first epoch of a set. */
  readonly keyEpoch: number;
  /** 32 random bytes. */
  readonly nonce: Uint8Array;
  /** 192 bytes. */
  readonly capsule: Uint8Array;
}

export class ShardError extends PleachError<
  "E-SHARD-FORM" | "E-SHARD-VERSION" | "E-SHARD-NAME" | "E-SHARD-SEAL" | "E-SHARD-KEY"
> {}

/**
 * Reads the header of a shard of which at least the first 288 bytes are there.
 *
 * @throws ShardError when they are no header, or one of a version that this program cannot read.
 */
export function parseShardHeader(bytes: Uint8Array): ShardHeader {
  if (bytes.length < HEADER_BYTES || Buffer.compare(bytes.subarray(0, 8), MAGIC) !== 0) {
    throw new ShardError("E-SHARD-FORM", "The bytes do not begin like a shard.");
  }
  if (bytes[8] !== VERSION || bytes[9] !== SUITE || bytes[10] !== 0 || bytes[11] !== 0) {
    throw new ShardError(
      "E-SHARD-VERSION",
      `The shard has version ${bytes[8]} and suite ${bytes[9]}; this program reads 1 and 1.`,
      { hint: "Install the newest version of Pleach." },
    );
  }
  const owner = parseId<OwnerId>(bytes.subarray(32, 64));
  const set = parseId<SetId>(bytes.subarray(16, 32), 16);
  if (owner === undefined || set === undefined) throw new RangeError("header sizes");
  return {
    owner,
    set,
    keyEpoch: new DataView(bytes.buffer, bytes.byteOffset).getUint32(12),
    nonce: Uint8Array.from(bytes.subarray(64, 96)),
    capsule: Uint8Array.from(bytes.subarray(96, HEADER_BYTES)),
  };
}

/** The 288 bytes of a header. @throws RangeError for sizes that do not fit: a bug in the caller. */
export function encodeShardHeader(header: ShardHeader): Uint8Array {
  const { keyEpoch, nonce, capsule } = header;
  if (!isKeyEpoch(keyEpoch)) throw new RangeError(`key epoch ${keyEpoch}`);
  if (nonce.length !== SHARD_NONCE_BYTES || capsule.length !== CAPSULE_BYTES) {
    throw new RangeError("header sizes");
  }
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(MAGIC);
  bytes[8] = VERSION;
  bytes[9] = SUITE;
  new DataView(bytes.buffer).setUint32(12, keyEpoch);
  bytes.set(idBytes(header.set), 16);
  bytes.set(idBytes(header.owner), 32);
  bytes.set(nonce, 64);
  bytes.set(capsule, 96);
  return bytes;
}

/**
 * Checks, without a key, that bytes are the shard of that name: size, header and Merkle root.
 * This is what a holder does before it signs for a shard, and a reader before it opens one.
 *
 * @throws ShardError when they are not.
 */
export function verifyShard(
  owner: OwnerId,
  set: SetId,
  shard: ShardId,
  bytes: Uint8Array,
): ShardHeader {
  if (!isShardSize(bytes.length)) {
    throw new ShardError("E-SHARD-FORM", `No shard has ${bytes.length} bytes.`);
  }
  const header = parseShardHeader(bytes);
  if (header.owner !== owner || header.set !== set) {
    throw new ShardError("E-SHARD-NAME", `Shard ${shard} is of another owner or data set.`);
  }
  if (shardIdOf(owner, set, bytes) !== shard) {
    throw new ShardError(
      "E-SHARD-NAME",
      `Shard ${shard} is damaged: its bytes do not fit its name.`,
    );
  }
  return header;
}
