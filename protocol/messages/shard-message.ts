/**
 * The messages of `/pleach/shard/1`: lists and shards go down the chain, receipts come back.
 *
 * The opener begins with `offer` (spread a list and its shards), `get` (fetch one shard), `list`
 * (fetch a list) or `heads` (ask a witness which snapshot is the newest):
 *
 * ```
 * opener                                holder
 * offer (header, chain)            ->
 *                                  <-   refuse, or need (which entries it lacks)
 * entries + raw bytes              ->
 *                                  <-   want (a bit for each entry), receipt for what is there
 * shard + raw bytes, … wait        ->
 *                                  <-   receipt
 * done                             ->
 *                                  <-   wait (still passing on), receipt of later hops, end
 * ```
 *
 * A frame is one CBOR map, except that the frames after `entries`, `shard`, `found` and `listed` are raw
 * bytes until the announced number is complete. Those of a shard are verified range by range, and
 * no frame of them reaches beyond the end of a range. How much may be under way is the transport's
 * business: the protocol is bulk to it.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import { headField } from "../backup/head.ts";
import type { ListId, OwnerId, SetId, ShardId, SiteId } from "../ids.ts";
import {
  LIST_ENTRY_BYTES,
  MAX_COPIES,
  MAX_GROUPS,
  MAX_LIST_ENTRIES,
  MAX_LIST_HEADER_BYTES,
} from "../backup/list.ts";
import { HASH_BYTES, SHARD_BYTES } from "../backup/shard-id.ts";
import { MAX_ROOTS_BYTES } from "../backup/shard-ranges.ts";
import { bytesField, countField, idField } from "../encoding/wire-field.ts";

export const SHARD_PROTOCOL = "/pleach/shard/1";
/**
 * Raw bytes go in frames of exactly this many, and the rest in a last one. At 32 kbit/s one still
 * arrives well within a minute; smaller ones could be dripped for ever.
 */
export const RAW_FRAME_BYTES = 128 * 1024;
/** Messages are small; the bits of `want` are the longest part of any. */
const MAX_MESSAGE_BYTES = 128 * 1024;
/** So many receipts fit into one message. */
export const MAX_RECEIPTS_IN_MESSAGE = 200;
/** Heads of one set that a member tells of: of each site that has published it, and of lists. */
export const MAX_HEADS_IN_MESSAGE = 64;
/** A removed entry is its identifier alone. */
export const REMOVED_ENTRY_BYTES = 32;

export class ShardMessageError extends PleachError<"E-SHARD-MESSAGE"> {}

const signature = bytesField(64, 64);
/** Where the bytes begin that follow: at a range of 256 KiB. */
const from = countField(0, SHARD_BYTES - 1);
/** The roots of all ranges of a shard; see shard-ranges.ts. */
const roots = bytesField(HASH_BYTES, MAX_ROOTS_BYTES);

const openerMessage = z.discriminatedUnion("k", [
  z.object({
    k: z.literal("offer"),
    v: z.literal(1),
    header: bytesField(1, MAX_LIST_HEADER_BYTES),
    signature,
    /** The sites after this one, in order. */
    chain: z.array(idField<SiteId>()).max(MAX_COPIES),
  }),
  /** Entries against a list that the holder has, or all of them when `base` is null. */
  z.object({
    k: z.literal("entries"),
    base: idField<ListId>().nullable(),
    added: countField(0, MAX_LIST_ENTRIES),
    removed: countField(0, MAX_LIST_ENTRIES),
  }),
  /** The shard of the entry with this index; its bytes from the range at `from` on follow. */
  z.object({
    k: z.literal("shard"),
    index: countField(0, MAX_LIST_ENTRIES - 1),
    from,
    roots,
  }),
  /** Nothing to send at this moment, but more may come. */
  z.object({ k: z.literal("wait") }),
  z.object({ k: z.literal("done") }),
  z.object({
    k: z.literal("get"),
    v: z.literal(1),
    owner: idField<OwnerId>(),
    set: idField<SetId>(16),
    shard: idField<ShardId>(),
    from,
    /** A restore, which a person waits for, is answered at any hour. */
    why: z.enum(["restore", "repair"]),
  }),
  /** Asks for the holder's newest list of a group. */
  z.object({
    k: z.literal("list"),
    v: z.literal(1),
    owner: idField<OwnerId>(),
    set: idField<SetId>(16),
    group: countField(0, MAX_GROUPS - 1),
  }),
  /** Asks which heads of a set this member knows, holder or not. */
  z.object({
    k: z.literal("heads"),
    v: z.literal(1),
    owner: idField<OwnerId>(),
    set: idField<SetId>(16),
  }),
]);
export type OpenerMessage = z.output<typeof openerMessage>;

/** Why a holder does not take a list. */
export const REFUSALS = [
  "right", // the list is not signed by the site that may write the set
  "target", // this site is not among the targets
  "newer", // it has a list of the same or a later generation
  "step", // the generation lies too far above the one that it has
  "space", // what it lends is used up
  "cap", // what it lends to this owner is used up
  "owner", // it lends nothing to this owner
  "intake", // enough of this owner came today; what is named is kept, the rest may come later
  "hours", // its line carries no copies at this hour
  "busy", // another peer is sending the same group
  "mesh", // the list belongs to another mesh, or is malformed
] as const;
export type Refusal = (typeof REFUSALS)[number];

const holderMessage = z.discriminatedUnion("k", [
  z.object({
    k: z.literal("refuse"),
    why: z.enum(REFUSALS),
    /** For "newer": the generation that it has. For "step": the highest that it takes now. For "space" and "cap": bytes that are left. For
     * "intake" and "hours": seconds until more may come. Else 0. */
    value: countField(0),
  }),
  /** It has this very list (`known`), or an older one to take differences against, or none. */
  z.object({ k: z.literal("need"), known: z.boolean(), base: idField<ListId>().nullable() }),
  z.object({
    k: z.literal("want"),
    /** Bit i of byte i / 8, lowest first: entry i is wanted. */
    bits: bytesField(0, MAX_LIST_ENTRIES / 8),
    /** Entries of which the first ranges are there already, from an attempt before. */
    partial: z
      .array(z.object({ index: countField(0, MAX_LIST_ENTRIES - 1), bytes: countField(1) }))
      .max(64),
  }),
  z.object({
    k: z.literal("receipt"),
    receipts: z
      .array(z.object({ bytes: bytesField(1, 512), signature }))
      .max(MAX_RECEIPTS_IN_MESSAGE),
  }),
  /** Nothing new, but still at work. */
  z.object({ k: z.literal("wait") }),
  /** All that could be done now is done; these sites could not be reached, or take nothing now. */
  z.object({ k: z.literal("end"), unreached: z.array(idField<SiteId>()).max(MAX_COPIES) }),
  /** The shard is here; its bytes from the wanted range on follow. */
  z.object({ k: z.literal("found"), sizeBytes: countField(1, SHARD_BYTES), roots }),
  /** The packed entries of the list follow. */
  z.object({
    k: z.literal("listed"),
    header: bytesField(1, MAX_LIST_HEADER_BYTES),
    signature,
    entries: countField(0, MAX_LIST_ENTRIES),
  }),
  z.object({ k: z.literal("heads"), heads: z.array(headField).max(MAX_HEADS_IN_MESSAGE) }),
  z.object({ k: z.literal("missing") }),
]);
export type HolderMessage = z.output<typeof holderMessage>;

export function encodeOpenerMessage(message: OpenerMessage): Uint8Array {
  return encodeCbor(z.encode(openerMessage, message));
}

export function encodeHolderMessage(message: HolderMessage): Uint8Array {
  return encodeCbor(z.encode(holderMessage, message));
}

/** @throws ShardMessageError for anything that is not such a message. */
export function decodeOpenerMessage(frame: Uint8Array): OpenerMessage {
  return decode(openerMessage, frame);
}

/** @throws ShardMessageError for anything that is not such a message. */
export function decodeHolderMessage(frame: Uint8Array): HolderMessage {
  return decode(holderMessage, frame);
}

function decode<Schema extends z.ZodType>(schema: Schema, frame: Uint8Array): z.output<Schema> {
  try {
    return z.decode(schema, decodeCbor(frame, MAX_MESSAGE_BYTES) as z.input<Schema>);
  } catch (cause) {
    throw new ShardMessageError("E-SHARD-MESSAGE", "A peer sent a malformed message.", { cause });
  }
}

/** How many raw bytes follow an `entries` message. */
export function entriesBytes(message: { readonly added: number; readonly removed: number }) {
  return message.added * LIST_ENTRY_BYTES + message.removed * REMOVED_ENTRY_BYTES;
}

/** The bits of `want`. @param wanted - Indexes of entries, each below `count`. */
export function packBits(count: number, wanted: Iterable<number>): Uint8Array {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (const index of wanted) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
  return bits;
}

/** The indexes below `count` whose bit is set. */
export function unpackBits(count: number, bits: Uint8Array): number[] {
  const indexes: number[] = [];
  for (let index = 0; index < count; index++) {
    if (((bits[index >> 3] ?? 0) >> (index & 7)) & 1) indexes.push(index);
  }
  return indexes;
}
