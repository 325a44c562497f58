/**
 * One version of a record, as it stands in its author's document.
 *
 * A version names those that it replaces, so that the shown value does not depend on the order
 * of arrival, and so that what only a revoked author had replaced comes back when it goes.
 * `id = sha256(author, class, key, value)`: it survives snapshots and new logs.
 */
import { encodeCbor } from "../encoding/cbor.ts";
import { hashId, idBytes, parseId, type SiteId, type VersionId } from "../ids.ts";
import { encodeJson, isJsonValue, type JsonValue } from "../encoding/json-value.ts";
import type { ClassName } from "./record-class.ts";

/** The most that one value may have, encoded. */
export const MAX_VALUE_BYTES = 8192;
/** The most that a key may have in UTF-8. */
export const MAX_KEY_BYTES = 400;
/** More versions of one key than there are sites in a large mesh. */
export const MAX_SUPERSEDED = 64;
/** Saturates here; beyond, ties are settled by the author's key. */
export const MAX_LAMPORT = 2 ** 48;

export interface RecordVersion {
  /** One more than the highest number that the author had seen anywhere. */
  readonly lamport: number;
  /** The versions that this one replaces, of any author. */
  readonly supersedes: readonly VersionId[];
  /** Undefined: the record was deleted. */
  readonly value: JsonValue | undefined;
}

/** The JSON that stands in the document: `l`, `s`, and `x` unless it is a deletion. */
export function packVersion(version: RecordVersion): JsonValue {
  const packed = { l: version.lamport, s: version.supersedes };
  return version.value === undefined ? packed : { ...packed, x: version.value };
}

/** The one encoding of a version: what it is named by, and what it counts against the limits. */
export function encodeVersion(version: RecordVersion): Uint8Array {
  return encodeCbor(packVersion(version));
}

/** The version that a document's value stands for, or undefined when it stands for none. */
export function unpackVersion(packed: unknown): RecordVersion | undefined {
  if (typeof packed !== "object" || packed === null || Array.isArray(packed)) return undefined;
  // Yjs sets what a hostile "__proto__" says: a version must not inherit what its cost leaves out.
  if (Object.getPrototypeOf(packed) !== Object.prototype) return undefined;
  const { l, s, x } = packed as Record<string, unknown>;
  if (Object.keys(packed).length !== (x === undefined ? 2 : 3)) return undefined;
  if (typeof l !== "number" || !Number.isSafeInteger(l) || l < 1 || l > MAX_LAMPORT)
    return undefined;
  if (!Array.isArray(s) || s.length > MAX_SUPERSEDED) return undefined;
  const supersedes: VersionId[] = [];
  for (const item of s) {
    const id = parseId<VersionId>(item);
    if (typeof item !== "string" || id === undefined) return undefined;
    supersedes.push(id);
  }
  const superseding = supersedes.length > 0 ? supersedes : NONE;
  if (x === undefined) return { lamport: l, supersedes: superseding, value: undefined };
  if (!isJsonValue(x) || encodeJson(x).length > MAX_VALUE_BYTES) return undefined;
  return { lamport: l, supersedes: superseding, value: x };
}

/** Most versions replace nothing: they share this. */
const NONE: readonly VersionId[] = Object.freeze([]);

export function versionId(
  author: SiteId,
  recordClass: ClassName,
  key: string,
  version: RecordVersion,
): VersionId {
  return namedVersion(author, recordClass, key, encodeVersion(version));
}

/** The same of a version that is encoded already. */
export function namedVersion(
  author: SiteId,
  recordClass: ClassName,
  key: string,
  encoded: Uint8Array,
): VersionId {
  const names = encodeCbor([idBytes(author), recordClass, key]).subarray(1);
  return hashId<VersionId>("pleach/version/1\0", LIST_OF_FOUR, names, encoded);
}

/** Starts the encoding of (author, class, key, version). */
const LIST_OF_FOUR = Uint8Array.of(0x84);

/** Whether a text can be the key of a record: 1 to {@link MAX_KEY_BYTES} of printable text. */
export function isRecordKey(key: string): boolean {
  const bytes = Buffer.byteLength(key);
  return bytes >= 1 && bytes <= MAX_KEY_BYTES && key.isWellFormed() && !/\p{Cc}/u.test(key);
}
