/**
 * Envelopes: the signed entries of a log.
 *
 * A log has one author and one Y.Doc. Its id is a hash of who writes what in it, so an entry
 * cannot be put into another author's log. `id = sha256(header)`; the signature covers the header,
 * which names the hash of the payload, so headers outlive pruned payloads.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import {
  idBytes,
  idOf,
  sha256,
  toHex,
  type EnvelopeId,
  type LogId,
  type MeshId,
  type SiteId,
  type StatementId,
} from "../ids.ts";
import { classNameField } from "./record-class.ts";
import { MAX_LAMPORT } from "./record-version.ts";
import { sign, verify, type SigningKey } from "../keys/signature.ts";
import { bytesField, countField, idField } from "../encoding/wire-field.ts";

/** The payload of an update. */
export const MAX_UPDATE_BYTES = 64 * 1024;
/** The payload of a snapshot; what a document may hold always fits (see document-limits.ts). */
export const MAX_SNAPSHOT_BYTES = 256 * 1024;
/** A header alone, without its signature. */
export const MAX_HEADER_BYTES = 6 * 1024;
/** A whole envelope; fits one frame. */
export const MAX_ENVELOPE_BYTES = MAX_SNAPSHOT_BYTES + MAX_HEADER_BYTES + 256;
/** A decade of thirty entries a second; ten digits in every store. */
export const MAX_SEQ = 9_999_999_999;
/** The highest number of a part of a class. */
export const MAX_PART = 255;
/** Logs that one snapshot may name as taken up; their names fit a header. */
export const MAX_RETIREMENTS = 64;

const DOMAIN = "pleach/envelope/1";

export class EnvelopeError extends PleachError<
  "E-ENVELOPE-SIZE" | "E-ENVELOPE-FORM" | "E-ENVELOPE-PAYLOAD" | "E-ENVELOPE-SIGNATURE"
> {}

const retirement = z.object({
  log: idField<LogId>(16),
  /** The last entry whose effect the snapshot holds, and its Lamport number. */
  seq: countField(1, MAX_SEQ),
  lamport: countField(1, MAX_LAMPORT),
  /** The Lamport number of the log's first entry. */
  started: countField(1, MAX_LAMPORT),
});
/** A log that a snapshot takes up, and up to where; what that means is said in core/lineage.ts. */
export type Retirement = z.output<typeof retirement>;

/** What an entry does to the document of its log. */
export type EntryKind = "UPD" | "SNAP" | LaterKind;
/** A kind of entry that a later version knows. */
type LaterKind = string & { readonly [brand]: "kind" };
declare const brand: unique symbol;

const headerSchema = z.object({
  v: z.literal(1),
  mesh: idField<MeshId>(),
  class: classNameField,
  author: idField<SiteId>(),
  part: countField(0, MAX_PART),
  /** 128 random bits; with class, author and part they make the {@link LogId}. */
  salt: bytesField(16, 16),
  /** Place in the log; the first is 1 and a snapshot. */
  seq: countField(1, MAX_SEQ),
  prev: idField<EnvelopeId>().nullable(),
  /** `SNAP` starts a document, `UPD` changes it. Other kinds are of later versions: kept, not applied. */
  kind: z.custom<EntryKind>((value) => typeof value === "string" && /^[A-Z]{1,8}$/.test(value), {
    error: "is no kind of entry",
  }),
  /** SNAP: the snapshot before it in this log. */
  prevSnap: idField<EnvelopeId>().nullable(),
  /** SNAP: the Lamport number of the log's first entry; 0 in an update. */
  started: countField(0, MAX_LAMPORT),
  /** SNAP: all logs of its lineage whose state it holds, as far as they fit; each once. */
  retires: z.array(retirement).max(MAX_RETIREMENTS),
  /** SNAP: logs of its lineage that started below this are taken up whole, seen or unseen. */
  floor: countField(0, MAX_LAMPORT),
  /** SNAP: how many entries of its lineage lie in what it has taken up; for serials only. */
  past: countField(0),
  /** The epoch that the author acted under: GENESIS, until there is another. */
  authority: idField<StatementId | MeshId>(),
  /** The highest number that the author had seen, and one. */
  lamport: countField(1, MAX_LAMPORT),
  /** The author's Yjs clock before and after the payload. */
  clockBefore: countField(0),
  clockAfter: countField(0),
  payloadBytes: countField(0, MAX_SNAPSHOT_BYTES),
  payloadHash: bytesField(32, 32),
  /** Milliseconds since 1970 by the author's clock: advice only. */
  wallMs: countField(0),
});
export type EnvelopeHeader = z.output<typeof headerSchema>;

const frame = z.strictObject({
  v: z.literal(1),
  header: bytesField(1, MAX_HEADER_BYTES),
  signature: bytesField(64, 64),
  payload: bytesField(0, MAX_SNAPSHOT_BYTES),
});

/** An entry whose form, signature and payload hash are right. Made by this file only. */
export interface Envelope {
  readonly id: EnvelopeId;
  readonly log: LogId;
  readonly header: EnvelopeHeader;
  readonly payload: Uint8Array;
  /** As it came: what is stored and passed on. */
  readonly bytes: Uint8Array;
}

/** The log that (mesh, class, author, part, salt) stand for. */
export function logIdOf(
  header: Pick<EnvelopeHeader, "mesh" | "class" | "author" | "part" | "salt">,
): LogId {
  const { mesh, class: recordClass, author, part, salt } = header;
  const named = encodeCbor([idBytes(mesh), recordClass, idBytes(author), part, salt]);
  return idOf<LogId>(sha256("pleach/log/1\0", named).subarray(0, 16));
}

/** The Yjs client id of the document that starts at the snapshot `seq` of a log: 53 bits. */
export function clientIdOf(log: LogId, snapshotSeq: number): number {
  const hash = sha256("pleach/client/1\0", encodeCbor([idBytes(log), snapshotSeq]));
  return Number(BigInt(`0x${toHex(hash.subarray(0, 8))}`) >> 11n);
}

/**
 * Signs an entry.
 *
 * @throws EnvelopeError when {@link decodeEnvelope} would refuse it.
 */
export function signEnvelope(
  key: SigningKey,
  fields: Omit<EnvelopeHeader, "v" | "payloadBytes" | "payloadHash">,
  payload: Uint8Array,
): Envelope {
  const wire = z.safeEncode(headerSchema, {
    v: 1,
    ...fields,
    payloadBytes: payload.length,
    payloadHash: sha256(payload),
  });
  if (!wire.success) throw formError(wire.error);
  const header = encodeCbor(wire.data as CborValue);
  return decodeEnvelope(
    encodeCbor({ v: 1, header, signature: sign(key, DOMAIN, header), payload }),
  );
}

/**
 * Reads an entry from outside and checks all that it says about itself.
 *
 * @throws EnvelopeError with the reason; nothing else.
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  return checkEnvelope(readEnvelope(bytes));
}

/**
 * Reads an entry that {@link decodeEnvelope} took before it was stored, from a store that tells
 * damage: the signature is not verified once more.
 *
 * @throws EnvelopeError
 */
export function readStoredEnvelope(bytes: Uint8Array): Envelope {
  const { id, log, header, payload } = readEnvelope(bytes);
  return { id, log, header, payload, bytes };
}

/** An entry whose form is right. Who made it, and with which payload, is not checked. */
export interface UncheckedEnvelope extends UncheckedHeader {
  readonly payload: Uint8Array;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Reads as much of an entry as tells whether it is here already: most of what peers push is.
 *
 * @throws EnvelopeError
 */
export function readEnvelope(bytes: Uint8Array): UncheckedEnvelope {
  if (bytes.length > MAX_ENVELOPE_BYTES) {
    throw new EnvelopeError("E-ENVELOPE-SIZE", `An envelope of ${bytes.length} bytes.`);
  }
  const { header: headerBytes, signature, payload } = read(frame, bytes, MAX_ENVELOPE_BYTES);
  return { ...readHeader(headerBytes), payload, bytes, signature };
}

/** A header whose form is right, with what it stands for. */
export interface UncheckedHeader {
  readonly id: EnvelopeId;
  readonly log: LogId;
  readonly header: EnvelopeHeader;
  readonly headerBytes: Uint8Array;
}

/** @throws EnvelopeError */
export function readHeader(headerBytes: Uint8Array): UncheckedHeader {
  const header = read(headerSchema, headerBytes, MAX_HEADER_BYTES);
  checkKind(header);
  const id = idOf<EnvelopeId>(sha256(headerBytes));
  return { id, log: logIdOf(header), header, headerBytes };
}

/** @throws EnvelopeError unless the author that the header names has signed it. */
export function checkHeaderSignature(
  { header, headerBytes }: UncheckedHeader,
  signature: Uint8Array,
): void {
  if (!verify(idBytes(header.author), DOMAIN, headerBytes, signature)) {
    throw new EnvelopeError("E-ENVELOPE-SIGNATURE", "The author did not sign this.");
  }
}

/** @throws EnvelopeError when payload or signature are wrong. */
export function checkEnvelope(unchecked: UncheckedEnvelope): Envelope {
  const { id, log, header, payload, bytes, signature } = unchecked;
  if (payload.length !== header.payloadBytes || !sameBytes(sha256(payload), header.payloadHash)) {
    throw new EnvelopeError("E-ENVELOPE-PAYLOAD", "The payload is not the one that was signed.");
  }
  checkHeaderSignature(unchecked, signature);
  return { id, log, header, payload, bytes };
}

function checkKind(header: EnvelopeHeader): void {
  const first = header.seq === 1;
  const sound =
    first === (header.prev === null) &&
    (!first || header.kind === "SNAP") &&
    (header.kind !== "SNAP" || isPlainSnapshot(header)) &&
    (header.kind !== "UPD" || isPlainUpdate(header)) &&
    header.clockAfter >= header.clockBefore;
  if (!sound) throw new EnvelopeError("E-ENVELOPE-FORM", "The header contradicts itself.");
}

function isPlainSnapshot(header: EnvelopeHeader): boolean {
  const { seq, prevSnap, clockBefore, lamport, started, floor, retires } = header;
  return (
    (seq === 1) === (prevSnap === null) &&
    clockBefore === 0 &&
    (seq === 1 ? started === lamport : started >= 1 && started <= lamport) &&
    floor <= started &&
    new Set(retires.map(({ log }) => log)).size === retires.length
  );
}

function isPlainUpdate(header: EnvelopeHeader): boolean {
  const { prevSnap, started, retires, floor, past, payloadBytes } = header;
  return (
    prevSnap === null &&
    started + retires.length + floor + past === 0 &&
    payloadBytes <= MAX_UPDATE_BYTES
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function read<Schema extends z.ZodType>(
  schema: Schema,
  bytes: Uint8Array,
  maxBytes: number,
): z.output<Schema> {
  let result;
  try {
    result = schema.safeParse(decodeCbor(bytes, maxBytes));
  } catch (cause) {
    throw new EnvelopeError("E-ENVELOPE-FORM", "Not canonical CBOR.", { cause });
  }
  if (result.success) return result.data;
  throw formError(result.error);
}

function formError({ issues: [issue] }: z.ZodError): EnvelopeError {
  const where = issue?.path.map(String).join(".") ?? "";
  return new EnvelopeError("E-ENVELOPE-FORM", `${where}: ${issue?.message ?? "wrong form"}`);
}
