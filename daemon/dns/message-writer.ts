/**
 * Writes a message into one buffer, with names compressed.
 *
 * Names are compressed where RFC 3597 section 4 allows it: owners, and the data of the types of
 * RFC 1035. A pointer may lead to a spelling in another case; DNS does not tell them apart.
 * Suffixes are found by a hash that grows label by label from the right, so a name costs its
 * length whatever it looks like; a name of 127 labels is no more work than any other.
 */
import type { DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { nameOffsets } from "../../protocol/dns/rdata.ts";
import { mayCompress } from "../../protocol/dns/rdata-layout.ts";
import { SuffixTable } from "./suffix-table.ts";
import type { RRset } from "../core/zones/zone.ts";

const CLASS_IN = 1;
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

  /** Makes the suffixes of an uncompressed name that stands in the message known. */
  knowName(name: DnsName, at: number): void {
    this.#suffixes.add(name, name.length, at);
  }

  /** Writes all records of a set, or none: false when they do not fit. */
  writeSet(owner: DnsName, rrset: RRset): boolean {
    const start = this.#at;
    for (const rdata of rrset.rdata) {
      if (this.#writeRecord(owner, rrset, rdata)) continue;
      this.rollback(start);
      return false;
    }
    return true;
  }

  /** Forgets what was written from `size` on. */
  rollback(size: number): void {
    this.#at = size;
    this.#suffixes.forgetFrom(size);
  }

  /** Writes a record whole; one that does not fit may leave rests behind the end. */
  #writeRecord(owner: DnsName, rrset: RRset, rdata: Uint8Array): boolean {
    if (!this.#writeName(owner) || this.#at + RECORD_HEAD_BYTES > this.#limit) return false;
    this.#u16(rrset.type);
    this.#u16(CLASS_IN);
    this.#u16(rrset.ttl >>> 16);
    this.#u16(rrset.ttl & 0xffff);
    const lengthAt = this.#at;
    this.#at += 2;
    if (!this.#writeData(rrset.type, rdata)) return false;
    const length = this.#at - lengthAt - 2;
    this.#bytes[lengthAt] = length >> 8;
    this.#bytes[lengthAt + 1] = length & 255;
    return true;
  }

  #writeData(type: number, rdata: Uint8Array): boolean {
    if (!mayCompress(type)) return this.#raw(rdata);
    let done = 0;
    for (const offset of nameOffsets(type, rdata)) {
      const name = nameIn(rdata, offset);
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

function nameIn(rdata: Uint8Array, offset: number): DnsName {
  let end = offset;
  while ((rdata[end] ?? 0) !== 0) end += (rdata[end] ?? 0) + 1;
  return rdata.subarray(offset, end + 1) as DnsName;
}
