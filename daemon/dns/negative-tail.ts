/**
 * What follows the question in negative answers of a zone: its SOA record, ready as bytes.
 *
 * Names that are not there are as many as askers invent, so their answers are not kept; but all of
 * them end alike. The bytes are written once behind a question for the apex; behind a longer name
 * every pointer leads as many bytes further as that name is longer.
 */
import { CLASS } from "../../protocol/dns/dns-code.ts";
import { HEADER_BYTES } from "../../protocol/dns/message.ts";
import { MessageWriter } from "../../protocol/dns/message-writer.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import type { RRset } from "../core/zones/zone.ts";

/** Type and class of a question; type, class, TTL and length of a record. */
const QUESTION_TAIL_BYTES = 4;
const RECORD_HEAD_BYTES = 10;
/** RFC 1035 section 4.1.4. */
const POINTER = 0xc0;
/** The longest: an owner, its head, two names and five numbers. */
const MAX_TAIL_BYTES = 1024;

export interface NegativeTail {
  readonly bytes: Uint8Array;
  /** Where pointers stand in them. */
  readonly pointers: readonly number[];
  /** How long the name of the question was that they were made for. */
  readonly apexBytes: number;
}

/** @param soa - As it stands in negative answers. @returns Undefined for one too long. */
export function negativeTail(soa: RRset): NegativeTail | undefined {
  const { owner: apex } = soa;
  const start = HEADER_BYTES + apex.length + QUESTION_TAIL_BYTES;
  const message = new Uint8Array(start + MAX_TAIL_BYTES);
  const writer = new MessageWriter(message);
  writer.reset(message.length, message.subarray(0, HEADER_BYTES));
  writer.writeQuestion(apex, TYPE.SOA, CLASS.IN);
  if (!writer.writeSet(apex, soa)) return undefined;
  const pointers: number[] = [];
  let at = start;
  const skipName = (): void => {
    let size = message[at] ?? 0;
    for (; size > 0 && size < POINTER; size = message[at] ?? 0) at += size + 1;
    if (size >= POINTER) pointers.push(at - start);
    at += size >= POINTER ? 2 : 1;
  };
  skipName();
  at += RECORD_HEAD_BYTES;
  skipName();
  skipName();
  return { bytes: message.slice(start, writer.size), pointers, apexBytes: apex.length };
}

/** @returns Where the tail ends in a message whose question has a name of `nameBytes` and ends at `at`. */
export function putTail(
  message: Uint8Array,
  at: number,
  { bytes, pointers, apexBytes }: NegativeTail,
  nameBytes: number,
): number {
  message.set(bytes, at);
  const further = nameBytes - apexBytes;
  for (const place of pointers) {
    const target = (((bytes[place] ?? 0) & 0x3f) << 8) + (bytes[place + 1] ?? 0) + further;
    message[at + place] = POINTER | (target >> 8);
    message[at + place + 1] = target & 255;
  }
  return at + bytes.length;
}
