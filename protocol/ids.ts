/**
 * Identifiers, as every other file names them.
 *
 * In memory and in JSON an identifier is lower-case hexadecimal text, so that it can be a key of
 * a map and be compared exactly; on the wire and in CBOR it is the bytes. The brands keep one
 * kind from being passed for another.
 */
import { createHash, hash } from "node:crypto";

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Hexadecimal text of `Size` bytes. Checked by {@link parseId}, never by a cast alone. */
type HexId<Name extends string> = Branded<string, Name>;

/** SHA-256 of the bytes of the GENESIS statement (32 bytes). */
export type MeshId = HexId<"mesh">;
/** A site's Ed25519 public key (32 bytes), which is also its libp2p PeerId. */
export type SiteId = HexId<"site">;
/** An operator's Ed25519 public key (32 bytes). */
export type OperatorId = HexId<"operator">;
/** The first signing key O of an owner (Ed25519 public key, 32 bytes); stays when O is replaced. */
export type OwnerId = HexId<"owner">;
/** Any Ed25519 public key (32 bytes) that a link has proven: a site's, a joiner's or a recovery key. */
export type PeerKey = HexId<"peer"> | SiteId;
/** SHA-256 of the unsigned bytes of a statement (32 bytes). */
export type StatementId = HexId<"statement">;
/** SHA-256 of the header of an envelope (32 bytes). */
export type EnvelopeId = HexId<"envelope">;
/** SHA-256 of (class, author, part, 128 random bits), 16 bytes kept; see envelope.ts. */
export type LogId = HexId<"log">;
/** Version of a record: SHA-256 of (author, key, value) (32 bytes). */
export type VersionId = HexId<"version">;
/** A data set: 16 random bytes, so that it tells a holder nothing. */
export type SetId = HexId<"set">;
/** A shard: see shard-id.ts (32 bytes). */
export type ShardId = HexId<"shard">;
/** SHA-256 of the bytes of a signed list (32 bytes). */
export type ListId = HexId<"list">;
/** A holder's store: 16 random bytes made with its directory, so that an emptied store is seen. */
export type StoreId = HexId<"store">;
/** A chain of snapshots of a set: 16 random bytes, new after a recovery or a rollback. */
export type ChainId = HexId<"chain">;

export type AnyId =
  | MeshId
  | SiteId
  | OperatorId
  | OwnerId
  | PeerKey
  | StatementId
  | EnvelopeId
  | LogId
  | VersionId
  | SetId
  | ShardId
  | ListId
  | StoreId
  | ChainId;

const HEX = /^(?:[0-9a-f]{2})*$/;

/**
 * The identifier that a text or some bytes stand for, or undefined if they are none.
 *
 * @param sizeBytes - The exact size of this kind of identifier.
 */
export function parseId<Id extends AnyId>(value: unknown, sizeBytes: 16 | 32 = 32): Id | undefined {
  if (value instanceof Uint8Array) {
    return value.length === sizeBytes ? (toHex(value) as Id) : undefined;
  }
  if (typeof value !== "string" || value.length !== sizeBytes * 2 || !HEX.test(value)) {
    return undefined;
  }
  return value as Id;
}

/**
 * Names bytes that are known to be an identifier of this kind, such as a hash just computed.
 *
 * @throws RangeError when the size is neither 16 nor 32 bytes, which is a bug in the caller.
 */
export function idOf<Id extends AnyId>(bytes: Uint8Array): Id {
  if (bytes.length !== 16 && bytes.length !== 32) throw new RangeError(`id of ${bytes.length} B`);
  return toHex(bytes) as Id;
}

/** The bytes of an identifier. */
export function idBytes(id: AnyId): Uint8Array {
  return fromHex(id);
}

export function toHex(bytes: Uint8Array): string {
  if (bytes.length <= scratch.length) {
    scratch.set(bytes);
    return scratch.toString("hex", 0, bytes.length);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/**
 * What is no longer than an id goes through here: asked for its `buffer`, a small array is moved to
 * memory of its own, which takes several times the room for as long as it lives.
 */
const scratch = Buffer.allocUnsafeSlow(64);

/** @throws RangeError when the text is not lower-case hexadecimal, which is a bug in the caller. */
export function fromHex(text: string): Uint8Array {
  if (!HEX.test(text)) throw new RangeError("not hexadecimal");
  return new Uint8Array(Buffer.from(text, "hex"));
}

/** Bytes and characters; more than this is hashed part by part, so that it is not copied. */
const MOST_JOINED_CHARACTERS = 4096;
/** Where the parts of what is hashed are put together. A character takes three bytes at most. */
const joined = Buffer.allocUnsafeSlow(3 * MOST_JOINED_CHARACTERS);

/** SHA-256 over the parts one after another. The caller separates domains. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  return new Uint8Array(Buffer.from(sha256Hex(...parts), "hex"));
}

/** The same as an identifier of 32 bytes. */
export function hashId<Id extends AnyId>(...parts: readonly (Uint8Array | string)[]): Id {
  return sha256Hex(...parts) as Id;
}

/** The same as 64 hexadecimal digits. Hashing in one call, and to text, takes a third of the time. */
export function sha256Hex(...parts: readonly (Uint8Array | string)[]): string {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return hash("sha256", first, "hex");
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (sizeBytes <= MOST_JOINED_CHARACTERS) {
    let at = 0;
    for (const part of parts) {
      if (typeof part === "string") at += joined.write(part, at);
      else {
        joined.set(part, at);
        at += part.length;
      }
    }
    return hash("sha256", joined.subarray(0, at), "hex");
  }
  const together = createHash("sha256");
  for (const part of parts) together.update(part);
  return together.digest("hex");
}
