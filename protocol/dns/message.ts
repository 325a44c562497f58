/**
 * A whole DNS message in memory: a header, questions, and three sections of records.
 *
 * `decode-message.ts` reads one, `encode-message.ts` writes one. The server's own path for
 * questions (daemon/dns/query.ts) makes none of these: it answers from the bytes.
 *
 * Source: RFC 1035 section 4.1.
 */
import type { DnsName } from "./dns-name.ts";

/** RFC 1035 section 4.1.1. */
export const HEADER_BYTES = 12;
/** The length before a message on TCP has 16 bits. */
export const MAX_MESSAGE_BYTES = 65_535;

export interface DnsHeader {
  /** 0 to 65,535. */
  readonly id: number;
  /** QR: an answer. */
  readonly response: boolean;
  /** 0 to 15, see OPCODE. */
  readonly opcode: number;
  /** AA. */
  readonly authoritative: boolean;
  /** TC. */
  readonly truncated: boolean;
  /** RD. */
  readonly recursionDesired: boolean;
  /** RA. */
  readonly recursionAvailable: boolean;
  /** Z: "Must be zero in all queries and responses". */
  readonly reserved: boolean;
  /** AD. */
  readonly authenticData: boolean;
  /** CD. */
  readonly checkingDisabled: boolean;
  /** 0 to 15; the rest of a longer one stands in the OPT record. */
  readonly rcode: number;
}

export interface DnsQuestion {
  readonly name: DnsName;
  readonly type: number;
  readonly class: number;
}

export interface DnsRecord {
  readonly owner: DnsName;
  readonly type: number;
  readonly class: number;
  /** 0 to 2^32 - 1, as it stands in the message: OPT, TSIG and RFC 2136 use all bits. */
  readonly ttl: number;
  /** Names in it are not compressed. Empty is a value: RFC 2136 deletes by it. */
  readonly rdata: Uint8Array;
}

/** The sections as RFC 1035 calls them; RFC 2136 renames them to zone, prerequisites and update. */
export interface DnsMessage extends DnsHeader {
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** The header of a message of at least 12 bytes; undefined for less. */
export function readHeader(bytes: Uint8Array): DnsHeader | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const high = bytes[2] ?? 0;
  const low = bytes[3] ?? 0;
  return {
    id: ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0),
    response: (high & 0x80) !== 0,
    opcode: (high >> 3) & 15,
    authoritative: (high & 0x04) !== 0,
    truncated: (high & 0x02) !== 0,
    recursionDesired: (high & 0x01) !== 0,
    recursionAvailable: (low & 0x80) !== 0,
    reserved: (low & 0x40) !== 0,
    authenticData: (low & 0x20) !== 0,
    checkingDisabled: (low & 0x10) !== 0,
    rcode: low & 15,
  };
}

/** The third and fourth byte of a header. */
export function flagBytes(header: DnsHeader): readonly [number, number] {
  const bit = (set: boolean, value: number): number => (set ? value : 0);
  return [
    bit(header.response, 0x80) |
      ((header.opcode & 15) << 3) |
      bit(header.authoritative, 0x04) |
      bit(header.truncated, 0x02) |
      bit(header.recursionDesired, 0x01),
    bit(header.recursionAvailable, 0x80) |
      bit(header.reserved, 0x40) |
      bit(header.authenticData, 0x20) |
      bit(header.checkingDisabled, 0x10) |
      (header.rcode & 15),
  ];
}
