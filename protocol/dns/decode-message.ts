/**
 * Reads a whole message of an unknown sender.
 *
 * Nothing is allocated by counts in the message before they are checked against its length, and
 * whatever the bytes are, the result is a message or the place of the first fault. An
 * {@link outlineMessage} costs one step a record, expands no name and allocates nothing for a record:
 * enough to find a signature and to check it before anything else is done for its sender.
 *
 * Source: RFC 1035 section 4.1; RFC 2136 for records without data; RFC 3597 for unknown types.
 */
import { HEADER_BYTES, readHeader, type DnsHeader, type DnsMessage } from "./message.ts";
import type { DnsQuestion, DnsRecord } from "./message.ts";
import { TYPE } from "./dns-type.ts";
import { readMessageName, skipMessageName } from "./message-name.ts";
import { expandRdata } from "./rdata-names.ts";

/** The root, a type and a class. */
const MIN_QUESTION_BYTES = 5;
/** The root, type, class, TTL and the length of the data. */
const MIN_RECORD_BYTES = 11;

export type Section = "answers" | "authorities" | "additionals";

/** Where one record stands; {@link RecordSpan.start} is what a signature over the rest ends at. */
export interface RecordSpan {
  readonly section: Section;
  readonly start: number;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly dataStart: number;
  /** The end of the data and of the record. */
  readonly end: number;
}

export interface MessageOutline extends DnsHeader {
  /** Where each question starts. */
  readonly questions: readonly number[];
  /** Of all sections, in the order of the message. Made when it is read for the first time. */
  readonly records: readonly RecordSpan[];
  readonly last: RecordSpan | undefined;
  /** How many records are TSIG, wherever they stand. */
  readonly signatures: number;
  /** The first OPT record of the additional section. */
  readonly opt: RecordSpan | undefined;
  /** Bytes behind the last record; a sound message has none. */
  readonly trailingBytes: number;
}

/** Why bytes are no message, and where that was noticed. */
export interface MessageFault {
  readonly fault: "header" | "counts" | "question" | "record" | "name" | "data";
  readonly at: number;
}

export interface DecodedRecord extends DnsRecord {
  /** Where the record starts and ends in the message. */
  readonly start: number;
  readonly end: number;
}

export interface DecodedMessage extends DnsMessage {
  readonly answers: readonly DecodedRecord[];
  readonly authorities: readonly DecodedRecord[];
  readonly additionals: readonly DecodedRecord[];
  readonly trailingBytes: number;
}

export function outlineMessage(bytes: Uint8Array): MessageOutline | MessageFault {
  const header = readHeader(bytes);
  if (header === undefined) return { fault: "header", at: bytes.length };
  const [questionCount, ...counts] = [4, 6, 8, 10].map((at) => readU16(bytes, at));
  const [answers = 0, authorities = 0, additionals = 0] = counts;
  const total = answers + authorities + additionals;
  const needed = (questionCount ?? 0) * MIN_QUESTION_BYTES + total * MIN_RECORD_BYTES;
  if (HEADER_BYTES + needed > bytes.length) return { fault: "counts", at: HEADER_BYTES };
  const questions: number[] = [];
  let at = HEADER_BYTES;
  for (let left = questionCount ?? 0; left > 0; left--) {
    const end = (skipMessageName(bytes, at) ?? Infinity) + 4;
    if (end > bytes.length) return { fault: "question", at };
    questions.push(at);
    at = end;
  }
  const sectionOf = (index: number): Section =>
    index < answers ? "answers" : index < answers + authorities ? "authorities" : "additionals";
  const first = at;
  let [last, opt, signatures] = [-1, -1, 0];
  for (let index = 0; index < total; index++) {
    // The root is what a packet of as many records as possible is full of.
    const data = (bytes[at] === 0 ? at + 1 : (skipMessageName(bytes, at) ?? Infinity)) + 10;
    const end = data > bytes.length ? data : data + readU16(bytes, data - 2);
    if (end > bytes.length) return { fault: "record", at };
    const type = readU16(bytes, data - 10);
    if (type === TYPE.TSIG) signatures += 1;
    if (type === TYPE.OPT && opt < 0 && index >= answers + authorities) opt = at;
    last = at;
    at = end;
  }
  let records: readonly RecordSpan[] | undefined;
  return {
    ...header,
    questions,
    get records() {
      records ??= outlineRecords(bytes, first, total, sectionOf);
      return records;
    },
    last: last < 0 ? undefined : outlineRecord(bytes, last, sectionOf(total - 1)),
    signatures,
    opt: opt < 0 ? undefined : outlineRecord(bytes, opt, "additionals"),
    trailingBytes: bytes.length - at,
  };
}

function outlineRecords(
  bytes: Uint8Array,
  first: number,
  total: number,
  sectionOf: (index: number) => Section,
): readonly RecordSpan[] {
  const records: RecordSpan[] = [];
  for (let index = 0, at = first; index < total; index++) {
    const record = outlineRecord(bytes, at, sectionOf(index));
    if (record === undefined) throw new RangeError(`a record at ${at} was sound before`);
    records.push(record);
    at = record.end;
  }
  return records;
}

function outlineRecord(bytes: Uint8Array, start: number, section: Section): RecordSpan | undefined {
  const at = skipMessageName(bytes, start);
  if (at === undefined || at + 10 > bytes.length) return undefined;
  const end = at + 10 + readU16(bytes, at + 8);
  if (end > bytes.length) return undefined;
  const ttl = readU16(bytes, at + 4) * 0x1_0000 + readU16(bytes, at + 6);
  const type = readU16(bytes, at);
  return { section, start, type, class: readU16(bytes, at + 2), ttl, dataStart: at + 10, end };
}

/** The whole message. Bytes behind it are counted and not read. */
export function decodeMessage(bytes: Uint8Array): DecodedMessage | MessageFault {
  const outline = outlineMessage(bytes);
  if ("fault" in outline) return outline;
  const questions: DnsQuestion[] = [];
  for (const start of outline.questions) {
    const read = readMessageName(bytes, start);
    if (read === undefined) return { fault: "name", at: start };
    const { name, end } = read;
    questions.push({ name, type: readU16(bytes, end), class: readU16(bytes, end + 2) });
  }
  const sections: Record<Section, DecodedRecord[]> = {
    answers: [],
    authorities: [],
    additionals: [],
  };
  for (const span of outline.records) {
    const record = decodeRecord(bytes, span);
    if ("fault" in record) return record;
    sections[span.section].push(record);
  }
  return { ...outline, questions, ...sections };
}

/** One record of an outline of the same bytes. */
export function decodeRecord(bytes: Uint8Array, span: RecordSpan): DecodedRecord | MessageFault {
  const owner = readMessageName(bytes, span.start);
  if (owner === undefined) return { fault: "name", at: span.start };
  const rdata = expandRdata(bytes, span.type, span.dataStart, span.end);
  if (rdata === undefined) return { fault: "data", at: span.dataStart };
  const { type, class: recordClass, ttl, start, end } = span;
  return { owner: owner.name, type, class: recordClass, ttl, rdata, start, end };
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
