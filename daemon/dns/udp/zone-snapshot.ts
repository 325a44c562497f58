/**
 * Zones as bytes, to hand them to another thread without a copy of each object.
 *
 * Only between threads of one process: numbers in the machine's own order of this file, nothing is
 * checked. Read in small steps, since the reader has answers to give in between.
 */
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { RRset, Zone } from "../../core/zones/zone.ts";

/** How many record sets are read between two rests. */
const SETS_A_STEP = 128;

/** The zones without where their records come from. */
export function encodeZones(zones: readonly Zone[]): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.u32(zones.length);
  for (const { apex, serial, rrsets } of zones) {
    writer.u32(serial);
    writer.u32(rrsets.length);
    writer.short(apex);
    for (const { owner, type, ttl, rdata } of rrsets) {
      writer.short(owner);
      writer.u32(type);
      writer.u32(ttl);
      writer.u32(rdata.length);
      for (const bytes of rdata) writer.long(bytes);
    }
  }
  return writer.take();
}

/** What {@link encodeZones} wrote; names and data are views into the bytes. */
export function* readZones(bytes: Uint8Array): Generator<undefined, readonly Zone[]> {
  const reader = new Reader(bytes);
  const zones: Zone[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    const serial = reader.u32();
    const count = reader.u32();
    const apex = reader.short() as DnsName;
    const rrsets: RRset[] = [];
    let soa: RRset | undefined;
    for (let index = 0; index < count; index++) {
      const owner = reader.short() as DnsName;
      const [type, ttl] = [reader.u32(), reader.u32()];
      const rdata = Array.from({ length: reader.u32() }, () => reader.long());
      const rrset: RRset = { owner, type, ttl, rdata };
      if (type === TYPE.SOA) soa = rrset;
      rrsets.push(rrset);
      if (index % SETS_A_STEP === 0) yield;
    }
    if (soa === undefined) throw new Error("a zone without a SOA record");
    zones.push({ apex, serial, soa, rrsets, lines: [], warnings: [] });
  }
  return zones;
}

class Writer {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #at = 0;

  u32(value: number): void {
    this.#room(4);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  /** At most 255 bytes. */
  short(bytes: Uint8Array): void {
    this.#room(1 + bytes.length);
    this.#bytes[this.#at] = bytes.length;
    this.#bytes.set(bytes, this.#at + 1);
    this.#at += 1 + bytes.length;
  }

  long(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A buffer of its own, so that it can be given away. */
  take(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes.subarray(0, this.#at));
  }

  #room(sizeBytes: number): void {
    if (this.#at + sizeBytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + sizeBytes));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength);
  }

  u32(): number {
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }

  short(): Uint8Array {
    const size = this.#bytes[this.#at] ?? 0;
    return this.#take(this.#at + 1, size);
  }

  long(): Uint8Array {
    const size = this.u32();
    return this.#take(this.#at, size);
  }

  #take(start: number, size: number): Uint8Array {
    this.#at = start + size;
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, size);
  }
}
