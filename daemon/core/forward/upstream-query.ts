/**
 * The question as it goes to an upstream, and whether a message is an answer to it.
 *
 * Nothing of the asker goes along: no subnet, no cookie, no options of his.
 * Source: RFC 1035, RFC 5452 (what a forger has to guess), RFC 6891, RFC 7830 and RFC 8467 (padding).
 */
import { CLASS } from "../../../protocol/dns/dns-code.ts";
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { HEADER_BYTES } from "../../../protocol/dns/message.ts";
import type { Asked } from "./resolution.ts";

/** RFC 9715: answers that no fragments are needed for. */
const UDP_BYTES = 1232;
const PADDING_OPTION = 12;
/** RFC 8467 section 4.1: "Clients SHOULD pad queries to the closest multiple of 128 octets". */
const PADDED_BYTES = 128;
/** Type and class; an OPT record without options; the head of an option. */
const [QUESTION_TAIL, OPT_BYTES, OPTION_HEAD] = [4, 11, 4] as const;

export interface UpstreamQuery {
  /** 0 to 65,535, not to be guessed. */
  readonly id: number;
  readonly asked: Asked;
  /** One bit for each letter of the name: upper case or not. Undefined: the name is in lower case. */
  readonly letters: Uint8Array | undefined;
  /** Whether its length is hidden: on encrypted ways. */
  readonly padded: boolean;
}

export function writeUpstreamQuery({ id, asked, letters, padded }: UpstreamQuery): Uint8Array {
  const { type, dnssecOk, checkingDisabled } = asked;
  const name = spell(asked.name, letters);
  const plain = HEADER_BYTES + name.length + QUESTION_TAIL + OPT_BYTES;
  const rest = padded ? (PADDED_BYTES - ((plain + OPTION_HEAD) % PADDED_BYTES)) % PADDED_BYTES : 0;
  const optionBytes = padded ? OPTION_HEAD + rest : 0;
  const bytes = Buffer.alloc(plain + optionBytes);
  bytes.writeUInt16BE(id, 0);
  bytes[2] = 0x01; // RD
  // RFC 6840 section 5.7: AD in a question asks for AD in the answer.
  bytes[3] = 0x20 | (checkingDisabled ? 0x10 : 0);
  bytes[5] = 1;
  bytes[11] = 1;
  bytes.set(name, HEADER_BYTES);
  let at = HEADER_BYTES + name.length;
  for (const value of [type, CLASS.IN]) at = bytes.writeUInt16BE(value, at);
  at += 1; // the root owns the OPT record
  for (const value of [TYPE.OPT, UDP_BYTES, 0, dnssecOk ? 0x8000 : 0, optionBytes]) {
    at = bytes.writeUInt16BE(value, at);
  }
  if (padded) {
    at = bytes.writeUInt16BE(PADDING_OPTION, at);
    bytes.writeUInt16BE(rest, at);
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** draft-vixie-dnsext-dns0x20: the case of letters is what a forger has to guess, too. */
function spell(name: DnsName, letters: Uint8Array | undefined): Uint8Array {
  const spelled = Uint8Array.from(name);
  for (const [at, byte] of spelled.entries()) {
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
    const isLetter = lower >= 0x61 && lower <= 0x7a;
    const isUpper = ((letters?.[at >> 3] ?? 0) >> (at & 7)) & 1;
    spelled[at] = isLetter && isUpper === 1 ? lower - 0x20 : lower;
  }
  return spelled;
}

/**
 * Whether a message answers a query: the id, an answer, one question, the same bytes.
 *
 * "respelled": all but the case of its letters; such an answer may be forged.
 */
export function matchReply(query: Uint8Array, reply: Uint8Array): "same" | "respelled" | "other" {
  const end = questionEnd(query);
  if (reply.length < end) return "other";
  const isAnswer = ((reply[2] ?? 0) & 0xf8) === 0x80;
  const sameId = reply[0] === query[0] && reply[1] === query[1];
  if (!isAnswer || !sameId || reply[4] !== 0 || reply[5] !== 1) return "other";
  let isSame = true;
  for (let at = HEADER_BYTES; at < end; at++) {
    if (reply[at] === query[at]) continue;
    // Letters differ by one bit; type and class behind the name have to be the same.
    const isName = at < end - QUESTION_TAIL;
    if (!isName || !isCaseOf(query[at] ?? 0, reply[at] ?? 0)) return "other";
    isSame = false;
  }
  return isSame ? "same" : "respelled";
}

function isCaseOf(a: number, b: number): boolean {
  const lower = a | 0x20;
  return lower === (b | 0x20) && lower >= 0x61 && lower <= 0x7a;
}

function questionEnd(query: Uint8Array): number {
  let at = HEADER_BYTES;
  for (let size = query[at] ?? 0; size > 0; size = query[at] ?? 0) at += size + 1;
  return at + 1 + QUESTION_TAIL;
}
