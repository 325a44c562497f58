/**
 * What an applicant and the site that invited it say on `/pleach/join/1`.
 *
 * One frame a message, each deterministic CBOR with `v` and `t`. The applicant opens a channel and:
 *
 *     hello                   -> challenge {nonce}, or refused "busy"
 *     prove {proof}           -> accepted {genesis}, or refused "code"
 *     about {owner, replaces} -> facts: what it has to know to sign its part
 *     apply {application}     -> pending, or refused with what is wrong with it
 *     ask                     -> pending (after a while), declined, or statements … until `last`
 *
 * A code that was used, has expired or was guessed gets one and the same refusal. The first proof
 * binds the invitation to the applicant's key; the same key may come again on other channels, as
 * often as it has to. Nothing but `refused "busy"` is said before a challenge was answered.
 */
import { z } from "zod";
import { MAX_APPLICATION_BYTES } from "./application.ts";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import type { EnvelopeId, LogId, MeshId, OwnerId, SiteId, StatementId } from "../ids.ts";
import { MAX_LOG_HEADS } from "../logs/log-head.ts";
import { MAX_STATEMENT_LAMPORT } from "../statements/statement-head.ts";
import { MAX_STATEMENT_BYTES } from "../statements/statement.ts";
import { bytesField, countField, idField, textField } from "../encoding/wire-field.ts";

export const JOIN_PROTOCOL = "/pleach/join/1";

export const NONCE_BYTES = 32;
const MAX_REQUEST_BYTES = MAX_APPLICATION_BYTES + 64;
/** Statements of one frame. */
export const MAX_STATEMENTS_IN_FRAME = 60;
const MAX_REPLY_BYTES = 256 * 1024;

const statement = bytesField(1, MAX_STATEMENT_BYTES);
const head = z.strictObject({
  log: idField<LogId>(16),
  seq: countField(1),
  head: idField<EnvelopeId>(),
});

const name = z.string().min(1).max(63);
const v = z.literal(1);

const REQUEST = z.discriminatedUnion("t", [
  z.strictObject({ v, t: z.literal("hello") }),
  z.strictObject({ v, t: z.literal("prove"), proof: bytesField(32, 32) }),
  z.strictObject({
    v,
    t: z.literal("about"),
    owner: idField<OwnerId>().nullable(),
    replaces: name.nullable(),
  }),
  z.strictObject({ v, t: z.literal("apply"), application: bytesField(1, MAX_APPLICATION_BYTES) }),
  z.strictObject({ v, t: z.literal("ask") }),
]);
export type JoinRequest = z.infer<typeof REQUEST>;

/** Why an application is not taken; the applicant may correct it and apply again. */
export const REFUSALS = [
  "code", // unknown, used by another key, or expired
  "busy", // too many wrong codes in the last minute
  "form", // not of this version, a wrong signature, or parts that do not fit one another
  "name", // another site or owner has this name
  "owner", // the owner is not known here, or is known already and was to be new
  "replaces", // the site to be replaced is not known, or the release does not fit
] as const;
export type Refusal = (typeof REFUSALS)[number];

const REPLY = z.discriminatedUnion("t", [
  z.strictObject({ v, t: z.literal("challenge"), nonce: bytesField(NONCE_BYTES, NONCE_BYTES) }),
  z.strictObject({ v, t: z.literal("refused"), reason: z.enum(REFUSALS) }),
  z.strictObject({ v, t: z.literal("accepted"), genesis: statement }),
  z.strictObject({
    v,
    t: z.literal("facts"),
    /** Name of the issuer. */
    site: textField(63),
    /** What a statement made now carries; see statement-head.ts. */
    lamport: countField(1, MAX_STATEMENT_LAMPORT),
    /** The owner that was asked for and what the next link of its chain carries. */
    owner: z
      .strictObject({
        name: textField(64),
        seq: countField(1, 1_000_000),
        prev: idField<StatementId | MeshId>(),
      })
      .nullable(),
    /** The site that is to be replaced, and the end of each of its logs as known here. */
    old: z
      .strictObject({ site: idField<SiteId>(), heads: z.array(head).max(MAX_LOG_HEADS) })
      .nullable(),
  }),
  z.strictObject({ v, t: z.literal("pending") }),
  z.strictObject({ v, t: z.literal("declined") }),
  z.strictObject({
    v,
    t: z.literal("statements"),
    list: z.array(statement).max(MAX_STATEMENTS_IN_FRAME),
    last: z.boolean(),
  }),
]);
export type JoinReply = z.infer<typeof REPLY>;

export function encodeJoinRequest(request: JoinRequest): Uint8Array {
  return encodeCbor(z.encode(REQUEST, request) as CborValue);
}

/** Undefined for bytes that are no request of this version. */
export function decodeJoinRequest(frame: Uint8Array): JoinRequest | undefined {
  return decode(REQUEST, frame, MAX_REQUEST_BYTES);
}

export function encodeJoinReply(reply: JoinReply): Uint8Array {
  return encodeCbor(z.encode(REPLY, reply) as CborValue);
}

/** Undefined for bytes that are no reply of this version. */
export function decodeJoinReply(frame: Uint8Array): JoinReply | undefined {
  return decode(REPLY, frame, MAX_REPLY_BYTES);
}

function decode<T>(shape: z.ZodType<T>, frame: Uint8Array, maxBytes: number): T | undefined {
  let value: CborValue;
  try {
    value = decodeCbor(frame, maxBytes);
  } catch {
    return undefined;
  }
  return shape.safeParse(value).data;
}
