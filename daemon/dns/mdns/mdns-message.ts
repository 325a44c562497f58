/**
 * Messages of multicast DNS: what one asks or says, and how ours are written.
 *
 * A message of anybody on the link is read by the decoder of the server, which allocates nothing
 * by counts in it. Ours fit in one frame; what does not goes into the next one.
 *
 * Source: RFC 6762 sections 5.4, 6.7, 8.1, 10.2, 17 and 18.
 */
import { decodeMessage, type DecodedRecord } from "../../../protocol/dns/decode-message.ts";
import { CLASS, OPCODE, RCODE } from "../../../protocol/dns/dns-code.ts";
import { nameKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { encodeMessage } from "../../../protocol/dns/encode-message.ts";
import type { DnsMessage, DnsQuestion, DnsRecord } from "../../../protocol/dns/message.ts";
import type { MdnsRecord } from "./service-records.ts";

/** Section 17: "even when fragmentation is used, a Multicast DNS packet […] MUST NOT exceed 9000 bytes". */
const MAX_RECEIVED_BYTES = 9000;
/** An Ethernet frame without the heads of IPv6 and UDP. */
const MAX_SENT_BYTES = 1500 - 40 - 8;
/** RFC 1035 section 4.2.1: what a resolver that knows nothing of multicast takes. */
const MAX_LEGACY_BYTES = 512;
/** Section 6.7: "SHOULD NOT be greater than ten seconds". */
const MAX_LEGACY_TTL_SECONDS = 10;
/** Section 10.2, the cache-flush bit of a record, and section 5.4, the QU bit of a question. */
const TOP_BIT = 0x8000;
/** More questions in one packet are of nobody who wants an answer. */
const MAX_QUESTIONS = 128;
const TYPE_ANY = 255;

export interface MdnsQuestion {
  readonly name: DnsName;
  readonly key: string;
  readonly type: number;
  /** A direct answer is welcome. */
  readonly unicast: boolean;
}

export interface MdnsQuery {
  readonly kind: "query";
  readonly id: number;
  /** More known answers follow. */
  readonly truncated: boolean;
  readonly questions: readonly MdnsQuestion[];
  /** What the asker has already. */
  readonly known: readonly DecodedRecord[];
  /** What it means to claim. */
  readonly proposed: readonly DecodedRecord[];
}

export interface MdnsResponse {
  readonly kind: "response";
  readonly records: readonly DecodedRecord[];
}

/** Undefined for what is to be ignored in silence. */
export function readMdnsMessage(bytes: Uint8Array): MdnsQuery | MdnsResponse | undefined {
  if (bytes.length > MAX_RECEIVED_BYTES) return undefined;
  const message = decodeMessage(bytes);
  // Sections 18.3 and 18.11: other opcodes and rcodes "MUST be silently ignored".
  if ("fault" in message || message.opcode !== OPCODE.QUERY) return undefined;
  if (message.rcode !== RCODE.NOERROR || message.questions.length > MAX_QUESTIONS) return undefined;
  const { id, truncated, answers, authorities, additionals } = message;
  const ours = ({ class: of }: DnsRecord): boolean => (of & ~TOP_BIT) === CLASS.IN;
  if (message.response) {
    return { kind: "response", records: [...answers, ...authorities, ...additionals].filter(ours) };
  }
  const questions = message.questions.flatMap(({ name, type, class: of }) => {
    const plain = of & ~TOP_BIT;
    if (plain !== CLASS.IN && plain !== CLASS.ANY) return [];
    return { name, key: nameKey(name), type, unicast: (of & TOP_BIT) !== 0 };
  });
  const [known, proposed] = [answers.filter(ours), authorities.filter(ours)];
  return { kind: "query", id, truncated, questions, known, proposed };
}

export function asksFor(question: MdnsQuestion, type: number): boolean {
  return question.type === type || question.type === TYPE_ANY;
}

const HEAD: DnsMessage = {
  id: 0,
  response: true,
  opcode: OPCODE.QUERY,
  // Section 18.4: "In response messages for Multicast domains, the [AA] bit MUST be set to one".
  authoritative: true,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  reserved: false,
  authenticData: false,
  checkingDisabled: false,
  rcode: RCODE.NOERROR,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
};

/**
 * Responses to the group, or to one host that speaks multicast DNS.
 *
 * @param extra - Left out where they do not fit in.
 * @param gone - Whether the records are taken back: their TTL is then 0.
 */
export function writeResponses(
  answers: readonly MdnsRecord[],
  extra: readonly MdnsRecord[] = [],
  gone = false,
): readonly Uint8Array[] {
  const record = (each: MdnsRecord): DnsRecord => ({
    ...each,
    class: each.unique ? CLASS.IN | TOP_BIT : CLASS.IN,
    ttl: gone ? 0 : each.ttlSeconds,
  });
  const additionals = extra.map(record);
  return inParts(answers.map(record), (part) => ({ ...HEAD, answers: part })).map(
    ({ bytes, message }) => encodeMessage({ ...message, additionals }, MAX_SENT_BYTES) ?? bytes,
  );
}

/** To a resolver that knows DNS only: as an ordinary server would answer. */
export function writeLegacyResponse(
  { id, questions }: MdnsQuery,
  answers: readonly MdnsRecord[],
): Uint8Array | undefined {
  const message: DnsMessage = {
    ...HEAD,
    id,
    questions: questions.map(({ name, type }): DnsQuestion => ({ name, type, class: CLASS.IN })),
    answers: answers.map((each) => ({
      ...each,
      // Section 6.7: "the cache-flush bit MUST NOT be set in legacy unicast responses".
      class: CLASS.IN,
      ttl: Math.min(each.ttlSeconds, MAX_LEGACY_TTL_SECONDS),
    })),
  };
  return encodeMessage(message, MAX_LEGACY_BYTES);
}

/**
 * Asks whether anybody has the names of the records, and says what we mean to give them.
 *
 * Section 8.2: the records stand in the authority section; section 10.2: without the cache-flush bit.
 * Not with the QU bit, as section 8.1 would have it: a direct answer would go to one of the programs
 * that share the port (section 15.2), and our sockets hear the group only.
 */
export function writeProbes(
  claims: readonly { readonly records: readonly MdnsRecord[] }[],
): readonly Uint8Array[] {
  const names = new Map<string, MdnsRecord[]>();
  for (const { records } of claims) {
    for (const each of records) {
      if (each.unique) names.set(each.key, [...(names.get(each.key) ?? []), each]);
    }
  }
  return inParts([...names.values()], (part) => ({
    ...HEAD,
    response: false,
    authoritative: false,
    questions: part.flatMap(([first]) =>
      first === undefined ? [] : { name: first.owner, type: TYPE_ANY, class: CLASS.IN },
    ),
    authorities: part.flatMap((records) =>
      records.map((each) => ({ ...each, class: CLASS.IN, ttl: each.ttlSeconds })),
    ),
  })).map(({ bytes }) => bytes);
}

interface Part {
  readonly message: DnsMessage;
  readonly bytes: Uint8Array;
}

/** Halves what does not fit; one item that is too long by itself is left out. */
function inParts<Item>(
  items: readonly Item[],
  make: (part: readonly Item[]) => DnsMessage,
): readonly Part[] {
  if (items.length === 0) return [];
  const message = make(items);
  const bytes = encodeMessage(message, MAX_SENT_BYTES);
  if (bytes !== undefined) return [{ message, bytes }];
  if (items.length === 1) return [];
  const half = items.length >> 1;
  return [...inParts(items.slice(0, half), make), ...inParts(items.slice(half), make)];
}
