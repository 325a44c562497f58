/**
 * Writes a message into one buffer, with names compressed.
 *
 * Names are compressed where RFC 3597 section 4 allows it: owners, and the data of the types of
 * RFC 1035. A pointer may lead to a spelling in another case; DNS does not tell them apart.
 */
import { MAX_NAME_BYTES, labelKey, type DnsName } from "../../protocol/dns-name.ts";
import { nameOffsets } from "../../protocol/rdata.ts";
import { mayCompress } from "../../protocol/rdata-layout.ts";
import type { RRset } from "../core/zone.ts";

/** A pointer has 14 bits (RFC 1035 section 4.1.4). */
const MAX_POINTER = 0x3fff;
const CLASS_IN = 1;

export class MessageWriter {
  readonly #bytes: Uint8Array;
  #at = 0;
  #limit: number;
  /** Where each suffix of a written name starts. */
  readonly #names = new Map<string, number>();

  /** @param bytes - Written from the start; its size is the largest message. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#limit = bytes.length;
  }

  get size(): number {
    return this.#at;
  }

  /** Starts a new message of at most `limit` bytes with bytes that are there already. */
  reset(limit: number, head: Uint8Array): void {
    this.#names.clear();
    this.#bytes.set(head);
    this.#at = head.length;
    this.#limit = Math.min(limit, this.#bytes.length);
  }

  /** Makes the suffixes of an uncompressed name that stands in the message known. */
  knowName(name: DnsName, at: number): void {
    for (let label = 0; name[label] !== 0; label += (name[label] ?? 0) + 1) {
      this.#names.set(labelKey(name.subarray(label)), at + label);
    }
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
    for (const [name, at] of this.#names) if (at >= size) this.#names.delete(name);
  }

  #writeRecord(owner: DnsName, rrset: RRset, rdata: Uint8Array): boolean {
    // Names only get shorter by compression, so this is enough room for any outcome.
    if (this.#at + MAX_NAME_BYTES + 10 + rdata.length > this.#limit) {
      if (this.#at + this.#sizeOf(owner, rrset, rdata) > this.#limit) return false;
    }
    this.#writeName(owner);
    this.#u16(rrset.type);
    this.#u16(CLASS_IN);
    this.#u16(rrset.ttl >>> 16);
    this.#u16(rrset.ttl & 0xffff);
    const lengthAt = this.#at;
    this.#at += 2;
    this.#writeData(rrset.type, rdata);
    const length = this.#at - lengthAt - 2;
    this.#bytes[lengthAt] = length >> 8;
    this.#bytes[lengthAt + 1] = length & 255;
    return true;
  }

  /** The size of a record written here, for the rare case that room is short. */
  #sizeOf(owner: DnsName, rrset: RRset, rdata: Uint8Array): number {
    let size = this.#compressedSize(owner) + 10 + rdata.length;
    if (!mayCompress(rrset.type)) return size;
    for (const offset of nameOffsets(rrset.type, rdata)) {
      const name = nameIn(rdata, offset);
      size += this.#compressedSize(name) - name.length;
    }
    return size;
  }

  #compressedSize(name: DnsName): number {
    for (let label = 0; name[label] !== 0; label += (name[label] ?? 0) + 1) {
      if (this.#names.has(labelKey(name.subarray(label)))) return label + 2;
    }
    return name.length;
  }

  #writeData(type: number, rdata: Uint8Array): void {
    if (!mayCompress(type)) return this.#raw(rdata);
    let done = 0;
    for (const offset of nameOffsets(type, rdata)) {
      this.#raw(rdata.subarray(done, offset));
      const name = nameIn(rdata, offset);
      this.#writeName(name);
      done = offset + name.length;
    }
    this.#raw(rdata.subarray(done));
  }

  #writeName(name: DnsName): void {
    let label = 0;
    while (name[label] !== 0) {
      const key = labelKey(name.subarray(label));
      const known = this.#names.get(key);
      if (known !== undefined) return this.#u16(0xc000 | known);
      if (this.#at <= MAX_POINTER) this.#names.set(key, this.#at);
      const size = (name[label] ?? 0) + 1;
      this.#raw(name.subarray(label, label + size));
      label += size;
    }
    this.#bytes[this.#at++] = 0;
  }

  /** An OPT record (RFC 6891 section 6.1.2); the caller has kept room for it. */
  writeOpt(udpBytes: number, extendedRcode: number, dnssecOk: boolean, options: Uint8Array): void {
    this.#bytes[this.#at++] = 0;
    this.#u16(41);
    this.#u16(udpBytes);
    this.#u16((extendedRcode >> 4) << 8);
    this.#u16(dnssecOk ? 0x8000 : 0);
    this.#u16(options.length);
    this.#raw(options);
  }

  #raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
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
