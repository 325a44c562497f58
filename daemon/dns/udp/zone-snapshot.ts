/**
 * Changes of zones as bytes, to hand them to another thread without a copy of each object.
 *
 * Only between threads of one process: numbers in the machine's own order of this file, nothing is
 * checked. Read in small steps, since the reader has answers to give in between.
 */
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import { ZONE_VIEWS, perView, type PerView } from "../../../protocol/dns/zone-view.ts";
import type { RRset, ServedName } from "../../core/zones/zone.ts";
import type { ServedDelta } from "../zone-tree.ts";

/** How many names are read between two rests. */
const NAMES_A_STEP = 128;

const [GONE, CHANGED, WHOLE] = [0, 1, 2] as const;

/** What changes, without where records come from. */
export function encodeDeltas(deltas: readonly ServedDelta[]): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.u32(deltas.length);
  for (const delta of deltas) {
    writer.short(delta.apex);
    if (delta.kind === "gone") {
      writer.byte(GONE);
      continue;
    }
    writer.byte(delta.whole ? WHOLE : CHANGED);
    writer.u32(delta.serial);
    writer.u32(delta.names.length);
    for (const name of delta.names) encodeName(writer, name);
  }
  return writer.take();
}

function encodeName(writer: Writer, { owner, served, existsIn }: ServedName): void {
  writer.short(owner);
  const lists = [...new Set(ZONE_VIEWS.map((view) => served[view]))];
  writer.byte(lists.length);
  for (const view of ZONE_VIEWS) {
    writer.byte(lists.indexOf(served[view]));
    writer.byte(existsIn[view] ? 1 : 0);
  }
  for (const sets of lists) {
    writer.u32(sets.length);
    for (const { type, ttl, rdata } of sets) {
      writer.u32(type);
      writer.u32(ttl);
      writer.u32(rdata.length);
      for (const bytes of rdata) writer.long(bytes);
    }
  }
}

/** What {@link encodeDeltas} wrote; names and data are views into the bytes. */
export function* readDeltas(bytes: Uint8Array): Generator<undefined, readonly ServedDelta[]> {
  const reader = new Reader(bytes);
  const deltas: ServedDelta[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    const apex = reader.short() as DnsName;
    const kind = reader.byte();
    if (kind === GONE) {
      deltas.push({ kind: "gone", apex });
      continue;
    }
    const serial = reader.u32();
    const count = reader.u32();
    const names: ServedName[] = [];
    while (names.length < count) {
      names.push(readName(reader));
      if (names.length % NAMES_A_STEP === 0) yield;
    }
    deltas.push({ kind: "changed", apex, serial, whole: kind === WHOLE, names });
  }
  return deltas;
}

function readName(reader: Reader): ServedName {
  const owner = reader.short() as DnsName;
  const count = reader.byte();
  const places: PerView<{ list: number; exists: boolean }> = perView(() => ({
    list: reader.byte(),
    exists: reader.byte() === 1,
  }));
  const lists = Array.from({ length: count }, () => readSets(reader, owner));
  return {
    owner,
    served: perView((view) => lists[places[view].list] ?? []),
    existsIn: perView((view) => places[view].exists),
  };
}

function readSets(reader: Reader, owner: DnsName): readonly RRset[] {
  return Array.from({ length: reader.u32() }, () => {
    const [type, ttl] = [reader.u32(), reader.u32()];
    const rdata = Array.from({ length: reader.u32() }, () => reader.long());
    return { owner, type, ttl, rdata };
  });
}

class Writer {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #at = 0;

  u32(value: number): void {
    this.#room(4);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at] = value;
    this.#at += 1;
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

  byte(): number {
    this.#at += 1;
    return this.#bytes[this.#at - 1] ?? 0;
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
