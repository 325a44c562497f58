/**
 * Writes a message into one buffer, with names compressed.
 *
 * Names are compressed where RFC 3597 section 4 allows it: owners, and the data of the types of
 * RFC 1035. A pointer may lead to a spelling in another case; DNS does not tell them apart.
 * Suffixes are found by a hash that grows label by label from the right, so a name costs its
 * length whatever it looks like; a name of 127 labels is no more work than any other.
 */
import { CLASS } from "./dns-code.ts";
import { readDnsName, type DnsName } from "./dns-name.ts";
import { TYPE } from "./dns-type.ts";
import type { DnsRecord } from "./message.ts";
import { mayCompress, nameOffsets } from "./rdata-names.ts";
import { SuffixTable } from "./suffix-table.ts";

/** Records of class IN that share an owner, a type and a TTL. */
interface RecordSet {
  readonly type: number;
  readonly ttl: number;
  /** Uncompressed wire form of each. */
  readonly rdata: readonly Uint8Array[];
}

/** Type, class, TTL and the length of the data. */
const RECORD_HEAD_BYTES = 10;

export class MessageWriter {
  readonly #bytes: Uint8Array;
  readonly #suffixes: SuffixTable;
  #at = 0;
  #limit: number;

  /** @param bytes - Written from the start; its size is the largest message. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#limit = bytes.length;
    this.#suffixes = new SuffixTable(bytes);
  }

  get size(): number {
    return this.#at;
  }

  /** Starts a new message of at most `limit` bytes with bytes that are there already. */
  reset(limit: number, head: Uint8Array): void {
    this.#suffixes.clear();
    this.#bytes.set(head);
    this.#at = head.length;
    this.#limit = Math.min(limit, this.#bytes.length);
  }

  /** Takes over what somebody else has written up to `size`; its names are not known. */
  advance(size: number): void {
    this.#at = size;
  }

  /** Makes the suffixes of an uncompressed name that stands in the message known. */
  knowName(name: DnsName, at: number): void {
    this.#suffixes.add(name, name.length, at);
  }

  /** Writes all records of a set, or none: false when they do not fit. */
  writeSet(owner: DnsName, { type, ttl, rdata: all }: RecordSet): boolean {
    const start = this.#at;
    for (const rdata of all) {
      if (this.#write(owner, type, CLASS.IN, ttl, rdata)) continue;
      this.rollback(start);
      return false;
    }
    return true;
  }

  /** Writes a record, or nothing: false when it does not fit. */
  writeRecord(record: DnsRecord): boolean {
    const start = this.#at;
    const { owner, type, class: recordClass, ttl, rdata } = record;
    if (this.#write(owner, type, recordClass, ttl, rdata)) return true;
    this.rollback(start);
    return false;
  }

  /** Writes a question, or nothing: false when it does not fit. */
  writeQuestion(name: DnsName, type: number, questionClass: number): boolean {
    const start = this.#at;
    if (!this.#writeName(name) || this.#at + 4 > this.#limit) {
      this.rollback(start);
      return false;
    }
    this.#u16(type);
    this.#u16(questionClass);
    return true;
  }

  /** Forgets what was written from `size` on. */
  rollback(size: number): void {
    this.#at = size;
    this.#suffixes.forgetFrom(size);
  }

  /** Writes a record whole; one that does not fit may leave rests behind the end. */
  #write(
    owner: DnsName,
    type: number,
    recordClass: number,
    ttl: number,
    rdata: Uint8Array,
  ): boolean {
    if (!this.#writeName(owner) || this.#at + RECORD_HEAD_BYTES > this.#limit) return false;
    this.#u16(type);
    this.#u16(recordClass);
    this.#u16(ttl >>> 16);
    this.#u16(ttl & 0xffff);
    const lengthAt = this.#at;
    this.#at += 2;
    if (!this.#writeData(type, rdata)) return false;
    const length = this.#at - lengthAt - 2;
    this.#bytes[lengthAt] = length >> 8;
    this.#bytes[lengthAt + 1] = length & 255;
    return true;
  }

  #writeData(type: number, rdata: Uint8Array): boolean {
    if (!mayCompress(type)) return this.#raw(rdata);
    let done = 0;
    for (const offset of nameOffsets(type, rdata)) {
      const name = readDnsName(rdata, offset);
      if (name === undefined) break;
      if (!this.#raw(rdata.subarray(done, offset)) || !this.#writeName(name)) return false;
      done = offset + name.length;
    }
    return this.#raw(rdata.subarray(done));
  }

  #writeName(name: DnsName): boolean {
    const { length, pointer } = this.#suffixes.find(name);
    const size = pointer === undefined ? name.length : length + 2;
    if (this.#at + size > this.#limit) return false;
    this.#suffixes.add(name, length, this.#at);
    this.#raw(name.subarray(0, length));
    if (pointer !== undefined) this.#u16(0xc000 | pointer);
    return true;
  }

  /** An OPT record (RFC 6891 section 6.1.2); the caller has kept room for it. */
  writeOpt(udpBytes: number, extendedRcode: number, dnssecOk: boolean, options: Uint8Array): void {
    this.#limit = this.#bytes.length;
    this.#bytes[this.#at++] = 0;
    this.#u16(TYPE.OPT);
    this.#u16(udpBytes);
    this.#u16((extendedRcode >> 4) << 8);
    this.#u16(dnssecOk ? 0x8000 : 0);
    this.#u16(options.length);
    this.#raw(options);
  }

  #raw(bytes: Uint8Array): boolean {
    if (this.#at + bytes.length > this.#limit) return false;
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return true;
  }

  #u16(value: number): void {
    this.#bytes[this.#at++] = value >> 8;
    this.#bytes[this.#at++] = value & 255;
  }
}
