/**
 * The TSIG record: where a message carries one, and what it says. What it proves: tsig-mac.ts.
 *
 * Source: RFC 8945 section 4.2.
 */
import { CLASS } from "./dns-code.ts";
import { lowerCase, nameKey, parseDnsName, readDnsName, type DnsName } from "./dns-name.ts";
import { TYPE } from "./dns-type.ts";
import { decodeRecord, outlineMessage } from "./decode-message.ts";

/** What `TSIG Error` says (RFC 8945 section 4.3.1, in the numbers of IANA's "DNS RCODEs"). */
export const TSIG_ERROR = { NONE: 0, BADSIG: 16, BADKEY: 17, BADTIME: 18, BADTRUNC: 22 } as const;

/** The algorithms that we sign with; the name is also what BIND's key files call them. */
export const TSIG_ALGORITHMS = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"] as const;
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];

/** In seconds; RFC 8945 section 10: "a value of 300 seconds is RECOMMENDED". */
export const FUDGE_SECONDS = 300;

export interface Tsig {
  /** Lower case; the record's owner. */
  readonly key: DnsName;
  /** Lower case. */
  readonly algorithm: DnsName;
  /** Seconds since 1970, 48 bits. */
  readonly timeSeconds: number;
  readonly fudgeSeconds: number;
  readonly mac: Uint8Array;
  readonly originalId: number;
  readonly error: number;
  /** The server's time with BADTIME, else empty. */
  readonly other: Uint8Array;
}

/** A TSIG record as it stands in a message. */
export interface PlacedTsig extends Tsig {
  /** Where it starts: the signed bytes end here. */
  readonly start: number;
}

/**
 * The signature of a message.
 *
 * RFC 8945 section 5.1: it "MUST be the last record in the additional section", once.
 *
 * @param outline - Of the message.
 * @returns "none", or "malformed" for what has to be answered with FORMERR: a message that cannot
 *   be read to its end, a second TSIG, one in another place, or one whose fields do not fit.
 */
export function findTsig(
  message: Uint8Array,
  outline = outlineMessage(message),
): PlacedTsig | "none" | "malformed" {
  if ("fault" in outline || outline.trailingBytes > 0) return "malformed";
  const { last, signatures } = outline;
  if (signatures === 0) return "none";
  if (signatures > 1 || last?.type !== TYPE.TSIG) return "malformed";
  // Section 4.2: class ANY, TTL 0.
  if (last.section !== "additionals" || last.class !== CLASS.ANY || last.ttl !== 0) {
    return "malformed";
  }
  const record = decodeRecord(message, last);
  if ("fault" in record) return "malformed";
  const fields = readTsigData(record.rdata);
  return fields === undefined
    ? "malformed"
    : { ...fields, key: lowerCase(record.owner), start: last.start };
}

function readTsigData(rdata: Uint8Array): Omit<Tsig, "key"> | undefined {
  const algorithm = readDnsName(rdata, 0);
  if (algorithm === undefined) return undefined;
  const macAt = algorithm.length + 10;
  if (macAt > rdata.length) return undefined;
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  const macEnd = macAt + view.getUint16(macAt - 2);
  if (macEnd + 6 > rdata.length) return undefined;
  const otherAt = macEnd + 6;
  if (otherAt + view.getUint16(macEnd + 4) !== rdata.length) return undefined;
  return {
    algorithm: lowerCase(algorithm),
    timeSeconds: view.getUint16(algorithm.length) * 2 ** 32 + view.getUint32(algorithm.length + 2),
    fudgeSeconds: view.getUint16(algorithm.length + 6),
    mac: rdata.slice(macAt, macEnd),
    originalId: view.getUint16(macEnd),
    error: view.getUint16(macEnd + 2),
    other: rdata.slice(otherAt),
  };
}

/** The record at the end of a message: class ANY, TTL 0, no name in it compressed. */
export function tsigRecord(tsig: Tsig): Uint8Array {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPE.TSIG);
  fixed.writeUInt16BE(CLASS.ANY, 2);
  const rdata = Buffer.concat([
    tsig.algorithm,
    timeBytes(tsig.timeSeconds),
    u16(tsig.fudgeSeconds),
    u16(tsig.mac.length),
    tsig.mac,
    u16(tsig.originalId),
    u16(tsig.error),
    u16(tsig.other.length),
    tsig.other,
  ]);
  fixed.writeUInt16BE(rdata.length, 8);
  return Uint8Array.from(Buffer.concat([tsig.key, fixed, rdata]));
}

/** 48 bits, as times stand in the record. */
export function timeBytes(seconds: number): Uint8Array {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(seconds, 0, 6);
  return bytes;
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

const BY_NAME: ReadonlyMap<string, TsigAlgorithm> = new Map(
  TSIG_ALGORITHMS.map((algorithm) => [nameKey(parseDnsName(algorithm)), algorithm]),
);

/** The algorithm of a name in a record; undefined for those that are not accepted, MD5 among them. */
export function algorithmOf(name: DnsName): TsigAlgorithm | undefined {
  return BY_NAME.get(nameKey(name));
}

export function algorithmName(algorithm: TsigAlgorithm): DnsName {
  return parseDnsName(algorithm);
}
