/**
 * The messages of `/pleach/audit/1`: a site asks a holder to prove that it still has a set's shards.
 *
 * ```
 * asker                                 holder
 * leaves (shard, leaf …)           ->
 *                                  <-   leaves (4 KiB and its Merkle path, or null, …)
 * whole (nonce, shards)            ->
 *                                  <-   whole (an HMAC, or null, …)
 *                                  <-   refuse, to either; then the channel ends
 * ```
 *
 * A channel carries one question after another, each answered before the next. Answers stand in
 * the order of the question; null says that the holder does not have that shard intact. A leaf
 * proves itself against the shard's name. An HMAC is compared by whoever has the shard.
 */
import { createHmac } from "node:crypto";
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import { idBytes, type OwnerId, type SetId, type ShardId, type SiteId } from "../ids.ts";
import { LEAF_BYTES, SHARD_BYTES } from "../backup/shard-id.ts";
import { bytesField, countField, idField } from "../encoding/wire-field.ts";

export const AUDIT_PROTOCOL = "/pleach/audit/1";
/** Of one question: the answer, 4 KiB and 320 bytes of path each, stays below 128 KiB. */
export const MAX_LEAVES_ASKED = 24;
/** Of one question: the holder reads 32 MiB, at 2 MiB/s still well within the asker's patience. */
export const MAX_WHOLES_ASKED = 8;
export const NONCE_BYTES = 32;

const MAX_MESSAGE_BYTES = 128 * 1024;
const LEAVES_OF_SHARD = SHARD_BYTES / LEAF_BYTES;
/** Levels between a leaf and the root of a full shard. */
const MAX_PATH = Math.log2(LEAVES_OF_SHARD);
const MAC_BYTES = 32;
const MAC_DOMAIN = "pleach/audit-mac/1\0";

export class AuditMessageError extends PleachError<"E-AUDIT-MESSAGE"> {}

const of = { v: z.literal(1), owner: idField<OwnerId>(), set: idField<SetId>(16) };

const auditQuestion = z.discriminatedUnion("k", [
  z.object({
    k: z.literal("leaves"),
    ...of,
    items: z
      .array(z.object({ shard: idField<ShardId>(), leaf: countField(0, LEAVES_OF_SHARD - 1) }))
      .min(1)
      .max(MAX_LEAVES_ASKED),
  }),
  z.object({
    k: z.literal("whole"),
    ...of,
    nonce: bytesField(NONCE_BYTES, NONCE_BYTES),
    shards: z.array(idField<ShardId>()).min(1).max(MAX_WHOLES_ASKED),
  }),
]);
export type AuditQuestion = z.output<typeof auditQuestion>;

/** Why a holder does not answer. */
export const AUDIT_REFUSALS = [
  "right", // the asker is none of those who may ask about the set
  "busy", // it answers this asker already, or too many others
] as const;

const auditAnswer = z.discriminatedUnion("k", [
  z.object({
    k: z.literal("leaves"),
    items: z
      .array(
        z
          .object({
            bytes: bytesField(LEAF_BYTES, LEAF_BYTES),
            /** The hashes beside the way to the root, lowest first. */
            path: z.array(bytesField(32, 32)).max(MAX_PATH),
          })
          .nullable(),
      )
      .max(MAX_LEAVES_ASKED),
  }),
  z.object({
    k: z.literal("whole"),
    macs: z.array(bytesField(MAC_BYTES, MAC_BYTES).nullable()).max(MAX_WHOLES_ASKED),
  }),
  z.object({ k: z.literal("refuse"), why: z.enum(AUDIT_REFUSALS) }),
]);
export type AuditAnswer = z.output<typeof auditAnswer>;

export function encodeAuditQuestion(question: AuditQuestion): Uint8Array {
  return encodeCbor(z.encode(auditQuestion, question));
}

export function encodeAuditAnswer(answer: AuditAnswer): Uint8Array {
  return encodeCbor(z.encode(auditAnswer, answer));
}

/** @throws AuditMessageError for anything that is not such a message. */
export function decodeAuditQuestion(frame: Uint8Array): AuditQuestion {
  return decode(auditQuestion, frame);
}

/** @throws AuditMessageError for anything that is not such a message. */
export function decodeAuditAnswer(frame: Uint8Array): AuditAnswer {
  return decode(auditAnswer, frame);
}

function decode<Schema extends z.ZodType>(schema: Schema, frame: Uint8Array): z.output<Schema> {
  try {
    return z.decode(schema, decodeCbor(frame, MAX_MESSAGE_BYTES) as z.input<Schema>);
  } catch (cause) {
    throw new AuditMessageError("E-AUDIT-MESSAGE", "A peer sent a malformed message.", { cause });
  }
}

/**
 * What a holder answers for a whole shard: HMAC-SHA256 with the nonce as key over domain, holder,
 * shard and bytes. It names the holder, so that nobody can have another one answer in its place.
 */
export function auditMac(
  nonce: Uint8Array,
  holder: SiteId,
  shard: ShardId,
  bytes: Uint8Array,
): Uint8Array {
  return createHmac("sha256", nonce)
    .update(MAC_DOMAIN)
    .update(idBytes(holder))
    .update(idBytes(shard))
    .update(bytes)
    .digest();
}
