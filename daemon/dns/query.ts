/**
 * Reads a question from a packet of an unknown sender.
 *
 * Nothing is allocated by counts in the packet, each byte is looked at once, and whatever the
 * bytes are, the result is a question, a code to refuse with, or silence.
 *
 * Source: RFC 1035 section 4.1, RFC 6891, RFC 8906, RFC 9619.
 */
import { readDnsName, type DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { OPCODE, RCODE } from "../../protocol/dns/dns-code.ts";

export const HEADER_BYTES = 12;
/** RFC 6891 section 6.2.3: less is treated as this. */
export const MIN_UDP_BYTES = 512;

export interface Edns {
  readonly version: number;
  /** What the sender can receive over UDP, at least 512. */
  readonly udpBytes: number;
  /** DNSSEC OK (RFC 3225), which is copied. */
  readonly dnssecOk: boolean;
  /** Asks who answers (RFC 5001). */
  readonly nsid: boolean;
}

export interface Question {
  /** As sent, a view into the packet. */
  readonly name: DnsName;
  readonly type: number;
  readonly class: number;
  /** Where the question ends in the packet; it starts after the header. */
  readonly end: number;
}

export type Query =
  | { readonly kind: "silence" }
  /** `echo`: the question may be repeated. `edns`: the answer carries an OPT record. */
  | {
      readonly kind: "refusal";
      readonly rcode: number;
      readonly echo: Question | undefined;
      readonly edns: Edns | undefined;
    }
  | { readonly kind: "question"; readonly question: Question; readonly edns: Edns | undefined };

const SILENCE: Query = { kind: "silence" };

/** RFC 6891 section 6.1.3: of the option code NSID, RFC 5001 section 2.3. */
const OPTION_NSID = 3;

export function readQuery(packet: Uint8Array): Query {
  const flags = packet[2] ?? 0;
  // Answering an answer could go on for ever between two servers.
  if (packet.length < HEADER_BYTES || (flags & 0x80) !== 0) return SILENCE;
  const opcode = (flags >> 3) & 15;
  if (opcode === OPCODE.NOTIFY || opcode === OPCODE.UPDATE) return refuse(RCODE.REFUSED);
  if (opcode !== OPCODE.QUERY) return refuse(RCODE.NOTIMP);
  // RFC 9619 section 4: "a DNS message with OPCODE = 0 and QDCOUNT > 1 [...] MUST be FORMERR".
  if (readU16(packet, 4) !== 1) return refuse(RCODE.FORMERR);
  const question = readQuestion(packet);
  if (question === undefined) return refuse(RCODE.FORMERR);
  const rest = readRecords(packet, question.end);
  if (rest === undefined) return refuse(RCODE.FORMERR, question);
  const { edns } = rest;
  if (edns !== undefined && edns.version > 0) return refuse(RCODE.BADVERS, question, edns);
  return { kind: "question", question, edns };
}

function refuse(rcode: number, echo?: Question, edns?: Edns): Query {
  return { kind: "refusal", rcode, echo, edns };
}

function readQuestion(packet: Uint8Array): Question | undefined {
  // A pointer has nothing before it to point at.
  const name = readDnsName(packet, HEADER_BYTES);
  if (name === undefined) return undefined;
  const at = HEADER_BYTES + name.length;
  if (at + 4 > packet.length) return undefined;
  return { name, type: readU16(packet, at), class: readU16(packet, at + 2), end: at + 4 };
}

/** Walks all records up to the end of the packet. Undefined: they are not well-formed. */
function readRecords(
  packet: Uint8Array,
  start: number,
): { readonly edns: Edns | undefined } | undefined {
  const beforeAdditional = readU16(packet, 6) + readU16(packet, 8);
  const count = beforeAdditional + readU16(packet, 10);
  let edns: Edns | undefined;
  let at = start;
  for (let index = 0; index < count; index++) {
    const owner = at;
    at = skipName(packet, at);
    // Counts that the packet has no room for end here, after its last byte.
    if (at < 0 || at + 10 > packet.length) return undefined;
    const end = at + 10 + readU16(packet, at + 8);
    if (end > packet.length) return undefined;
    if (readU16(packet, at) === TYPE.OPT) {
      // RFC 6891 section 6.1.1: one, of the root, in the additional section.
      if (edns !== undefined || packet[owner] !== 0 || index < beforeAdditional) return undefined;
      edns = readEdns(packet, at, end);
      if (edns === undefined) return undefined;
    }
    at = end;
  }
  return at === packet.length ? { edns } : undefined;
}

/** The place after a name, or -1. Where pointers lead is of no interest here. */
function skipName(packet: Uint8Array, start: number): number {
  for (let at = start; ;) {
    const size = packet[at];
    if (size === undefined) return -1;
    if (size >= 0xc0) return at + 2;
    if (size > 63) return -1;
    at += size + 1;
    if (size === 0) return at;
    if (at - start > 254) return -1;
  }
}

function readEdns(packet: Uint8Array, at: number, end: number): Edns | undefined {
  let nsid = false;
  for (let option = at + 10; option < end;) {
    if (option + 4 > end) return undefined;
    if (readU16(packet, option) === OPTION_NSID) nsid = true;
    option += 4 + readU16(packet, option + 2);
    if (option > end) return undefined;
  }
  return {
    udpBytes: Math.max(MIN_UDP_BYTES, readU16(packet, at + 2)),
    version: packet[at + 5] ?? 0,
    dnssecOk: ((packet[at + 6] ?? 0) & 0x80) !== 0,
    nsid,
  };
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
