/**
 * The messages of `/pleach/state/1`, by which two members make their state equal.
 *
 * A channel serves one use, named in the HELLO that its opener begins with:
 *
 * - `round`: the other side says HELLO, too; then the opener asks and it answers. Statements come first, to a fixpoint; then
 *   the digests of all classes, the vectors of the buckets that differ, and the envelopes that
 *   the opener lacks. Long answers come in several frames; all but the last say `more`.
 * - `push`: the opener sends what is new, the other side says of each item what became of it.
 *
 * Statements and envelopes travel as the bytes that were signed. Unknown fields of a message are
 * ignored, so that a later version may add some.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import { MAX_ENVELOPE_BYTES } from "../logs/envelope.ts";
import { PleachError } from "../error.ts";
import {
  fromHex,
  toHex,
  type EnvelopeId,
  type LogId,
  type MeshId,
  type StatementId,
} from "../ids.ts";
import { MAX_SIGNED_HEADER_BYTES } from "../logs/signed-header.ts";
import { bytesField, countField, idField } from "../encoding/wire-field.ts";

/** A longer frame of this protocol is refused before it is decoded. Room for a largest envelope. */
export const MAX_SYNC_FRAME_BYTES = MAX_ENVELOPE_BYTES + 4096;
/** Named places that are told of one log. More differ only where people took as many rights back. */
export const MAX_SHOWN_PLACES = 16;
/** The versions of the exchange that this code speaks. */
export const SYNC_VERSIONS = { oldest: 1, newest: 1 } as const;
/** A class has 16 buckets: a log is in the one that the first hexadecimal digit of its id names. */
export const BUCKETS_PER_CLASS = 16;
export class SyncMessageError extends PleachError<"E-SYNC-FORM"> {}

/** A SHA-256 that stands for a set: hexadecimal in memory, bytes on the wire. */
const digest = z.codec(bytesField(32, 32), z.string(), { decode: toHex, encode: fromHex });

const count = countField(0);
const item = bytesField(1, MAX_ENVELOPE_BYTES);
/** A group of classes (record-class.ts). Unknown ones are those of a later exchange. */
const classGroup = z.string().regex(/^[a-z]{1,16}$/);
const more = z.boolean();

const hello = z.object({
  v: z.literal(1),
  kind: z.literal("hello"),
  use: z.enum(["round", "push"]),
  mesh: idField<MeshId>(32),
  /** The oldest and the newest version of this exchange that the sender speaks. */
  oldest: count,
  newest: count,
  features: z.array(z.string().max(64)).max(64),
  /** Digest of all statements, and of the heads of all logs, as the sender holds them. */
  statements: digest,
  state: digest,
  /** In an answer to another state digest: the digest of each group of classes. */
  classes: z.record(classGroup, digest).optional(),
});

const statementIdsWanted = z.object({ v: z.literal(1), kind: z.literal("statement-ids-wanted") });

/** Ascending. */
const statementIds = z.object({
  v: z.literal(1),
  kind: z.literal("statement-ids"),
  ids: z.array(idField<StatementId>(32)).max(4096),
  more,
});

const statementsWanted = z.object({
  v: z.literal(1),
  kind: z.literal("statements-wanted"),
  ids: z.array(idField<StatementId>(32)).max(4096),
});

const statements = z.object({
  v: z.literal(1),
  kind: z.literal("statements"),
  items: z.array(item).max(4096),
  more,
});

const digestsWanted = z.object({
  v: z.literal(1),
  kind: z.literal("digests-wanted"),
  classes: z.array(classGroup).max(64),
});

const digests = z.object({
  v: z.literal(1),
  kind: z.literal("digests"),
  /** Of each group that was asked for and is known, the digests of its 16 buckets, in order. */
  classes: z.record(classGroup, z.array(digest).length(BUCKETS_PER_CLASS)),
});

const vectorsWanted = z.object({
  v: z.literal(1),
  kind: z.literal("vectors-wanted"),
  class: classGroup,
  buckets: z.array(z.int().min(0).max(15)).max(BUCKETS_PER_CLASS),
});

/** Logs ascending by id. */
const vectors = z.object({
  v: z.literal(1),
  kind: z.literal("vectors"),
  logs: z
    .array(
      z.object({
        log: idField<LogId>(16),
        /** The newest entry that the sender holds, and the digest of its header. */
        seq: count,
        head: idField<EnvelopeId>(32),
        /** The first entry that the sender can send: a snapshot, or entry 1. */
        fromSeq: count,
        /** Places before that which statements name and the sender can show; ascending. */
        shows: z.array(count).max(MAX_SHOWN_PLACES).optional(),
        /** The site that asked is its author. */
        yours: z.literal(true).optional(),
      }),
    )
    .max(4096),
  more,
});

const envelopesWanted = z.object({
  v: z.literal(1),
  kind: z.literal("envelopes-wanted"),
  /**
   * Entries behind `after`, all with 0; from a snapshot on where those are no longer kept. Up to
   * `to`, or to the end.
   */
  logs: z
    .array(z.object({ log: idField<LogId>(16), after: count, to: count.optional() }))
    .max(4096),
});

const envelopes = z.object({
  v: z.literal(1),
  kind: z.literal("envelopes"),
  items: z.array(item).max(4096),
  more,
});

/**
 * One page of headers of a log, ascending from behind `after`: of all snapshots ever, whose payloads
 * may be pruned, or of all entries that are held.
 */
const headersWanted = z.object({
  v: z.literal(1),
  kind: z.literal("headers-wanted"),
  log: idField<LogId>(16),
  after: count,
  of: z.enum(["snapshots", "entries"]),
});

const headers = z.object({
  v: z.literal(1),
  kind: z.literal("headers"),
  /** Signed headers (signed-header.ts). */
  items: z.array(bytesField(1, MAX_SIGNED_HEADER_BYTES)).max(1024),
  /** The page is full: ask again from behind its last header. */
  more,
});

/** The opener of a round has stored these durably. No answer. */
const stored = z.object({
  v: z.literal(1),
  kind: z.literal("stored"),
  logs: z.array(z.object({ log: idField<LogId>(16), seq: count })).max(4096),
});

/** The last word of both sides of a round, the opener first: what they hold durably now. */
const done = z.object({
  v: z.literal(1),
  kind: z.literal("done"),
  statements: digest,
  state: digest,
});

const push = z.object({
  v: z.literal(1),
  kind: z.literal("push"),
  statements: z.array(item).max(1024),
  envelopes: z.array(item).max(1024),
});

/** What became of the statements and then the envelopes of a push, in their order. */
const pushed = z.object({
  v: z.literal(1),
  kind: z.literal("pushed"),
  /** `stored`: durably, now or before. `kept`: in memory, until what it needs has come. */
  results: z.array(z.enum(["stored", "kept", "refused"])).max(2048),
});

/** The last word of a side that will not go on. */
const refusal = z.object({
  v: z.literal(1),
  kind: z.literal("refusal"),
  code: z.enum(["mesh", "version", "busy", "form"]),
});

const message = z.discriminatedUnion("kind", [
  hello,
  statementIdsWanted,
  statementIds,
  statementsWanted,
  statements,
  digestsWanted,
  digests,
  vectorsWanted,
  vectors,
  envelopesWanted,
  envelopes,
  headersWanted,
  headers,
  stored,
  done,
  push,
  pushed,
  refusal,
]);

export type SyncMessage = z.output<typeof message>;
export type SyncMessageKind = SyncMessage["kind"];
export type SyncMessageOf<Kind extends SyncMessageKind> = Extract<SyncMessage, { kind: Kind }>;
export type SyncHello = SyncMessageOf<"hello">;

export function encodeSyncMessage(value: SyncMessage): Uint8Array {
  return encodeCbor(z.encode(message, value) as CborValue);
}

/** @throws SyncMessageError when the bytes are not exactly one message of this version. */
export function decodeSyncMessage(frame: Uint8Array): SyncMessage {
  try {
    return message.parse(decodeCbor(frame, MAX_SYNC_FRAME_BYTES));
  } catch (cause) {
    throw new SyncMessageError("E-SYNC-FORM", "The peer sent no message of /pleach/state/1.", {
      cause,
    });
  }
}
