/**
 * The messages of `/pleach/recover/1`: a box with an owner's recovery key asks members for that
 * owner's statements, lists and shards, and for nothing else.
 *
 * The box asks, the member answers each question in one or more frames; frames but the last say
 * `more`. After `raw` the announced number of bytes follows in frames without form, and after
 * `shard` the ranges of a shard, as in shard-message.ts.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import { headField } from "../backup/head.ts";
import type { MeshId, OwnerId, SetId, ShardId, SiteId } from "../ids.ts";
import { MAX_LIST_HEADER_BYTES } from "../backup/list.ts";
import { HASH_BYTES, SHARD_BYTES } from "../backup/shard-id.ts";
import { MAX_ROOTS_BYTES } from "../backup/shard-ranges.ts";
import { MAX_STATEMENT_BYTES } from "../statements/statement.ts";
import { bytesField, countField, idField, textField } from "../encoding/wire-field.ts";

export const RECOVER_PROTOCOL = "/pleach/recover/1";
/** Items in one answer, so that the largest fits into a frame. */
export const MAX_ANSWER_ITEMS = 50;
const MAX_MESSAGE_BYTES = 300 * 1024;
const MAX_RAW_BYTES = 4 * 1024 * 1024;

export class RecoverMessageError extends PleachError<"E-RECOVER-MESSAGE"> {}

const question = z.discriminatedUnion("k", [
  /** First of all: which mesh. The member answers `welcome`, or ends. */
  z.object({ k: z.literal("hello"), v: z.literal(1), mesh: idField<MeshId>() }),
  /** All statements of the mesh: who may sign lists, and which sites there are. */
  z.object({ k: z.literal("statements") }),
  /** Headers of the lists of this owner that the member has itself. */
  z.object({ k: z.literal("lists") }),
  /** From the replicated state: newest heads, and who holds what. */
  z.object({ k: z.literal("state") }),
  /** From provider records of the DHT: who holds something of this owner. */
  z.object({ k: z.literal("providers") }),
  /** The entries of the member's newest list of a group. */
  z.object({ k: z.literal("entries"), set: idField<SetId>(16), group: countField(0, 127) }),
  /** One shard, from the range at a byte on. */
  z.object({
    k: z.literal("shard"),
    set: idField<SetId>(16),
    shard: idField<ShardId>(),
    from: countField(0, SHARD_BYTES - 1),
  }),
]);
export type RecoverQuestion = z.output<typeof question>;

const siteAddresses = z.object({
  site: idField<SiteId>(),
  /** Multiaddrs. */
  addresses: z.array(textField(200, 1)).max(16),
});
export type SiteAddresses = z.output<typeof siteAddresses>;

const answer = z.discriminatedUnion("k", [
  z.object({ k: z.literal("welcome"), owner: idField<OwnerId>() }),
  z.object({
    k: z.literal("statements"),
    items: z.array(bytesField(1, MAX_STATEMENT_BYTES)).max(MAX_ANSWER_ITEMS),
    more: z.boolean(),
  }),
  z.object({
    k: z.literal("lists"),
    items: z
      .array(
        z.object({ header: bytesField(1, MAX_LIST_HEADER_BYTES), signature: bytesField(64, 64) }),
      )
      .max(MAX_ANSWER_ITEMS),
    more: z.boolean(),
  }),
  z.object({
    k: z.literal("state"),
    heads: z.array(z.object({ set: idField<SetId>(16), head: headField })).max(MAX_ANSWER_ITEMS),
    holders: z.array(siteAddresses).max(MAX_ANSWER_ITEMS),
    more: z.boolean(),
  }),
  z.object({ k: z.literal("providers"), sites: z.array(siteAddresses).max(MAX_ANSWER_ITEMS) }),
  /** A shard follows, from the wanted range on; the roots are those of all its ranges. */
  z.object({
    k: z.literal("shard"),
    sizeBytes: countField(1, SHARD_BYTES),
    roots: bytesField(HASH_BYTES, MAX_ROOTS_BYTES),
  }),
  z.object({ k: z.literal("raw"), sizeBytes: countField(0, MAX_RAW_BYTES) }),
  z.object({ k: z.literal("missing") }),
]);
export type RecoverAnswer = z.output<typeof answer>;

export function encodeQuestion(message: RecoverQuestion): Uint8Array {
  return encodeCbor(z.encode(question, message));
}

export function encodeAnswer(message: RecoverAnswer): Uint8Array {
  return encodeCbor(z.encode(answer, message));
}

/** @throws RecoverMessageError for anything that is not such a message. */
export function decodeQuestion(frame: Uint8Array): RecoverQuestion {
  return decode(question, frame);
}

/** @throws RecoverMessageError for anything that is not such a message. */
export function decodeAnswer(frame: Uint8Array): RecoverAnswer {
  return decode(answer, frame);
}

function decode<Schema extends z.ZodType>(schema: Schema, frame: Uint8Array): z.output<Schema> {
  try {
    return z.decode(schema, decodeCbor(frame, MAX_MESSAGE_BYTES) as z.input<Schema>);
  } catch (cause) {
    throw new RecoverMessageError("E-RECOVER-MESSAGE", "A peer sent a malformed message.", {
      cause,
    });
  }
}
