/**
 * The signed list of one placement group: which shards belong to it, and which head it serves.
 *
 * Holders work with lists alone: no key is needed to take in, audit, repair or collect. The
 * signature covers a small header; the header names the hash of the packed entries, so a list
 * can travel as a difference and still be verified. Generations of a group form a chain by the
 * hash of the header before.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import { headField, type Head } from "./head.ts";
import {
  idBytes,
  idOf,
  sha256,
  type ListId,
  type MeshId,
  type OwnerId,
  type SetId,
  type ShardId,
  type SiteId,
} from "../ids.ts";
import { sign, verify, type SigningKey } from "../keys/signature.ts";
import { bytesField, countField, idField } from "../encoding/wire-field.ts";

const DOMAIN = "pleach/list/1";

export const MAX_LIST_HEADER_BYTES = 2048;
/** Sealed names are short; a longer one would be a way to store data for nothing. */
export const MAX_SEALED_NAME_BYTES = 512;
/** Full groups of this many shards are 256 TiB in one data set. */
export const MAX_LIST_ENTRIES = 65_536;
/** Of 16 GiB each, 16 TiB; beyond that, groups grow. */
export const MAX_GROUPS = 1024;
export const MAX_COPIES = 16;
/** A full shard is exactly this long; no shard is longer. */
export const MAX_LISTED_SHARD_BYTES = 4 * 1024 * 1024;

/** Packed: 32 bytes of identifier, then the size as a big-endian number of 4 bytes. */
export const LIST_ENTRY_BYTES = 36;

export interface ListEntry {
  readonly shard: ShardId;
  readonly sizeBytes: number;
}

export interface ListHeader {
  readonly mesh: MeshId;
  readonly owner: OwnerId;
  readonly set: SetId;
  /** The site that signs: the one that the owner delegated the data set to. */
  readonly by: SiteId;
  /** This group, below `groups`. */
  readonly group: number;
  /** How many groups the data set has: a power of two up to {@link MAX_GROUPS}. */
  readonly groups: number;
  /** 1 or more; the next list of the group has the next number. */
  readonly generation: number;
  /** The list that this one replaces; the first one of a split half names the list it came from. */
  readonly previous: ListId | null;
  /** Name of the data set, sealed by the client; opaque here. */
  readonly sealedName: Uint8Array;
  readonly keyEpoch: number;
  /** How many remote sites the owner wants. */
  readonly copies: number;
  readonly head: Head | null;
  readonly shards: number;
  readonly bytes: number;
  /** SHA-256 of the packed entries. */
  readonly entriesHash: Uint8Array;
}

/** A list as it is kept and passed on: the signed bytes as received. */
export interface SignedList {
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  /** Packed entries, sorted by identifier, none twice. */
  readonly entries: Uint8Array;
}

export class ListError extends PleachError<
  "E-LIST-FORM" | "E-LIST-SIGNATURE" | "E-LIST-ENTRIES" | "E-LIST-SIZE"
> {}

const headerShape = z
  .strictObject({
    v: z.literal(1),
    mesh: idField<MeshId>(),
    owner: idField<OwnerId>(),
    set: idField<SetId>(16),
    by: idField<SiteId>(),
    group: countField(0),
    groups: countField(1, MAX_GROUPS),
    generation: countField(1),
    previous: idField<ListId>().nullable(),
    sealedName: bytesField(0, MAX_SEALED_NAME_BYTES),
    keyEpoch: countField(0),
    copies: countField(1, MAX_COPIES),
    head: headField.nullable(),
    shards: countField(0, MAX_LIST_ENTRIES),
    bytes: countField(0),
    entriesHash: bytesField(32, 32),
  })
  .refine(({ group, groups }) => group < groups && (groups & (groups - 1)) === 0);

/**
 * Signs a list.
 *
 * @param entries - In any order; a shard must not stand in it twice.
 * @throws ListError when there are too many entries or one stands twice.
 */
export function signList(
  key: SigningKey,
  fields: Omit<ListHeader, "by" | "shards" | "bytes" | "entriesHash">,
  entries: readonly ListEntry[],
): SignedList {
  const packed = packEntries(entries);
  const header = encodeCbor(
    z.encode(headerShape, {
      v: 1,
      ...fields,
      by: idOf<SiteId>(key.publicKey),
      shards: entries.length,
      bytes: entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      entriesHash: sha256(packed),
    }),
  );
  return { header, signature: sign(key, DOMAIN, header), entries: packed };
}

/** The name of a list: SHA-256 of its header. */
export function listId(header: Uint8Array): ListId {
  return idOf<ListId>(sha256(header));
}

/**
 * Reads a header whose signature its own `by` made. Whether that site may sign for the data set
 * is for the caller to ask of the authority.
 *
 * @throws ListError when the bytes are no header, or the signature is wrong.
 */
export function openListHeader(header: Uint8Array, signature: Uint8Array): ListHeader {
  let decoded: unknown;
  try {
    decoded = decodeCbor(header, MAX_LIST_HEADER_BYTES);
  } catch (cause) {
    throw new ListError("E-LIST-FORM", "The header of a list is not readable.", { cause });
  }
  const parsed = headerShape.safeParse(decoded);
  if (!parsed.success) {
    throw new ListError("E-LIST-FORM", "The header of a list has a wrong form.");
  }
  const { v: _version, ...fields } = parsed.data;
  if (!verify(idBytes(fields.by), DOMAIN, header, signature)) {
    throw new ListError("E-LIST-SIGNATURE", "The signature of a list is wrong.");
  }
  return fields;
}

/**
 * Reads a whole list.
 *
 * @throws ListError also when the entries are not those that the header names.
 */
export function openList(list: SignedList): { header: ListHeader; entries: ListEntry[] } {
  const header = openListHeader(list.header, list.signature);
  return { header, entries: checkEntries(header, list.entries) };
}

/** @throws ListError when the packed entries are not exactly those of the header. */
export function checkEntries(header: ListHeader, packed: Uint8Array): ListEntry[] {
  if (packed.length !== header.shards * LIST_ENTRY_BYTES) {
    throw new ListError("E-LIST-ENTRIES", "The entries of a list have another number.");
  }
  if (Buffer.compare(sha256(packed), header.entriesHash) !== 0) {
    throw new ListError("E-LIST-ENTRIES", "The entries of a list are not the signed ones.");
  }
  const entries = unpackEntries(packed);
  const bytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const strays = entries.some(({ shard }) => groupOf(shard, header.groups) !== header.group);
  if (bytes !== header.bytes || strays) {
    throw new ListError("E-LIST-ENTRIES", "The entries of a list contradict its header.");
  }
  return entries;
}

/** @throws ListError when there are too many entries, one stands twice, or a size is impossible. */
export function packEntries(entries: readonly ListEntry[]): Uint8Array {
  if (entries.length > MAX_LIST_ENTRIES) {
    throw new ListError(
      "E-LIST-SIZE",
      `A group would have ${entries.length} shards; at most ${MAX_LIST_ENTRIES} fit into a list.`,
    );
  }
  const sorted = entries.toSorted((a, b) => (a.shard < b.shard ? -1 : 1));
  const packed = new Uint8Array(sorted.length * LIST_ENTRY_BYTES);
  const view = new DataView(packed.buffer);
  for (const [index, { shard, sizeBytes }] of sorted.entries()) {
    packed.set(idBytes(shard), index * LIST_ENTRY_BYTES);
    view.setUint32(index * LIST_ENTRY_BYTES + 32, sizeBytes);
  }
  unpackEntries(packed);
  return packed;
}

/** @throws ListError when the bytes are not sorted entries with possible sizes. */
export function unpackEntries(packed: Uint8Array): ListEntry[] {
  const wrong = (): ListError => new ListError("E-LIST-ENTRIES", "The entries are malformed.");
  if (packed.length % LIST_ENTRY_BYTES !== 0) throw wrong();
  if (packed.length > MAX_LIST_ENTRIES * LIST_ENTRY_BYTES) throw wrong();
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const entries: ListEntry[] = [];
  let last = "";
  for (let at = 0; at < packed.length; at += LIST_ENTRY_BYTES) {
    const shard = idOf<ShardId>(packed.subarray(at, at + 32));
    const sizeBytes = view.getUint32(at + 32);
    if (shard <= last || sizeBytes === 0 || sizeBytes > MAX_LISTED_SHARD_BYTES) throw wrong();
    entries.push({ shard, sizeBytes });
    last = shard;
  }
  return entries;
}

/**
 * The group of a shard: the low bits of its identifier. When the number of groups doubles, group
 * `g` splits into `g` and `g + groups`, and nothing else moves.
 */
export function groupOf(shard: ShardId, groups: number): number {
  return Number.parseInt(shard.slice(-4), 16) & (groups - 1);
}

/** Bytes that a holder keeps for a list, as its receipt counts them. */
export function listSizeBytes(list: SignedList): number {
  return list.header.length + list.signature.length + list.entries.length;
}
