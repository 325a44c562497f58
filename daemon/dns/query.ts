/**
 * Reads a question from a packet of an unknown sender.
 *
 * Nothing is allocated by counts in the packet, each byte is looked at once, and whatever the
 * bytes are, the result is a question, a code to refuse with, or silence.
 *
 * Source: RFC 1035 section 4.1, RFC 6891, RFC 8906, RFC 9619.
 */
import { HEADER_BYTES } from "../../protocol/dns/message.ts";
import { readDnsName, type DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { CLASS, OPCODE, RCODE } from "../../protocol/dns/dns-code.ts";
import type { Carrier } from "./client.ts";
import { readEdns, type Edns } from "./edns.ts";

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
  /** An update, a notification, or signed: not for the one who answers questions. */
  | {
      readonly kind: "request";
      readonly question: Question | undefined;
      readonly edns: Edns | undefined;
    }
  | { readonly kind: "question"; readonly question: Question; readonly edns: Edns | undefined };

/** A question has OPT and TSIG, one for IXFR its SOA; bounds the work for a packet of 64 KiB. */
const MAX_RECORDS = 16;

const SILENCE: Query = { kind: "silence" };

export function readQuery(packet: Uint8Array): Query {
  const flags = packet[2] ?? 0;
  // Answering an answer could go on for ever between two servers.
  if (packet.length < HEADER_BYTES || (flags & 0x80) !== 0) return SILENCE;
  const opcode = (flags >> 3) & 15;
  if (opcode === OPCODE.NOTIFY || opcode === OPCODE.UPDATE) {
    return { kind: "request", question: undefined, edns: undefined };
  }
  if (opcode !== OPCODE.QUERY) return refuse(RCODE.NOTIMP);
  const questions = readU16(packet, 4);
  // RFC 9619 section 4: "a DNS message with OPCODE = 0 and QDCOUNT > 1 [...] MUST be FORMERR".
  if (questions > 1) return refuse(RCODE.FORMERR);
  const question = questions === 1 ? readQuestion(packet) : undefined;
  if (questions === 1 && question === undefined) return refuse(RCODE.FORMERR);
  const rest = readRecords(packet, question?.end ?? HEADER_BYTES);
  const { edns } = rest;
  if (rest.sound && rest.signed) return { kind: "request", question, edns };
  if (!rest.sound) return refuse(RCODE.FORMERR, question, edns);
  if (edns !== undefined && edns.version > 0) return refuse(RCODE.BADVERS, question, edns);
  if (question !== undefined) return { kind: "question", question, edns };
  // RFC 7873 section 5.4: who asks nothing but has a cookie wants one of ours.
  return refuse(edns?.cookie === undefined ? RCODE.FORMERR : RCODE.NOERROR, undefined, edns);
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

interface Records {
  readonly edns: Edns | undefined;
  /** The last record is a TSIG (RFC 8945 section 5.1). */
  readonly signed: boolean;
  readonly sound: boolean;
}

/** Walks all records up to the end of the packet. */
function readRecords(packet: Uint8Array, start: number): Records {
  const beforeAdditional = readU16(packet, 6) + readU16(packet, 8);
  const count = beforeAdditional + readU16(packet, 10);
  let edns: Edns | undefined;
  let type = 0;
  let at = start;
  const malformed = (): Records => ({ edns, signed: false, sound: false });
  if (count > MAX_RECORDS) return malformed();
  for (let index = 0; index < count; index++) {
    const owner = at;
    at = skipName(packet, at);
    // Counts that the packet has no room for end here, after its last byte.
    if (at < 0 || at + 10 > packet.length) return malformed();
    const end = at + 10 + readU16(packet, at + 8);
    if (end > packet.length) return malformed();
    type = readU16(packet, at);
    if (type === TYPE.OPT) {
      // RFC 6891 section 6.1.1: one, of the root, in the additional section.
      if (edns !== undefined || packet[owner] !== 0 || index < beforeAdditional) return malformed();
      edns = readEdns(packet, at, end);
      if (edns === undefined) return malformed();
    }
    at = end;
  }
  return { edns, signed: count > 0 && type === TYPE.TSIG, sound: at === packet.length };
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

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** Questions that no zone answers: a code; "request": a transfer; undefined: zones answer. */
export function refusalOf(
  { type, class: asked }: Question,
  carrier: Carrier,
): number | "request" | undefined {
  if (asked !== CLASS.IN) return RCODE.REFUSED;
  // RFC 5936 section 4.2: "AXFR over UDP is not defined".
  if (type === TYPE.AXFR && carrier === "udp") return RCODE.FORMERR;
  if (type === TYPE.AXFR || type === TYPE.IXFR) return "request";
  if (type === 0 || type === TYPE.OPT) return RCODE.FORMERR;
  // RFC 6895 section 3.1: 128 to 255 are types of questions; beside ANY we know none.
  return type >= 128 && type < 255 ? RCODE.NOTIMP : undefined;
}
