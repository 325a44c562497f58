/**
 * Changes of zones as bytes, to hand them to another thread without a copy of each object.
 *
 * Only between threads of one process: numbers in the machine's own order of this file, nothing is
 * checked. Read in small steps, since the reader has answers to give in between; and of a name only
 * what its place in a tree needs, until somebody asks for its records.
 */
import { countLabels, labelKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { perView, type PerView } from "../../../protocol/dns/zone-view.ts";
import type { RRset, ServedName } from "../../core/zones/zone.ts";
import { BIT, marksOf, type PlacedName } from "../zone-node.ts";
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
    const apexLabels = countLabels(delta.apex);
    for (const name of delta.names) encodeName(writer, name, apexLabels);
  }
  return writer.take();
}

function encodeName(writer: Writer, name: ServedName, apexLabels: number): void {
  const { owner, served } = name;
  const sizeAt = writer.hole();
  writer.byte(countLabels(owner) - apexLabels);
  writer.short(owner);
  writer.u32(marksOf(name));
  const { public: inPublic, mesh, lan } = served;
  const meshList = mesh === inPublic ? 0 : 1;
  const lanList = lan === inPublic ? 0 : lan === mesh ? meshList : meshList + 1;
  writer.byte(meshList);
  writer.byte(lanList);
  encodeSets(writer, inPublic);
  if (meshList > 0) encodeSets(writer, mesh);
  if (lanList > meshList) encodeSets(writer, lan);
  writer.fill(sizeAt);
}

function encodeSets(writer: Writer, sets: readonly RRset[]): void {
  writer.u32(sets.length);
  for (const { type, ttl, rdata } of sets) {
    writer.u32(type);
    writer.u32(ttl);
    writer.u32(rdata.length);
    for (const bytes of rdata) writer.long(bytes);
  }
}

/** What {@link encodeDeltas} wrote; names and data are views into the bytes. */
export function* readDeltas(bytes: Uint8Array): Generator<undefined, readonly ServedDelta[]> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new Reader(all, 0);
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
    const names: PlacedName[] = [];
    while (names.length < count) {
      names.push(new PackedName(all, reader.skip()));
      if (names.length % NAMES_A_STEP === 0) yield;
    }
    deltas.push({ kind: "changed", apex, serial, whole: kind === WHOLE, names });
  }
  return deltas;
}

/** A name as it lies in the bytes. Most are never asked for, so their records are read when they are. */
class PackedName implements PlacedName {
  readonly #bytes: Buffer;
  /** Of how many labels the path consists. */
  readonly #at: number;
  #served: PerView<readonly RRset[]> | undefined;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get owner(): DnsName {
    return new Reader(this.#bytes, this.#at + 1).short() as DnsName;
  }

  get path(): readonly string[] {
    const bytes = this.#bytes;
    const keys: string[] = [];
    for (let left = bytes[this.#at] ?? 0, at = this.#at + 2; left > 0; left--) {
      const end = at + 1 + (bytes[at] ?? 0);
      keys.push(labelKey(bytes, at + 1, end));
      at = end;
    }
    return keys.length === 1 ? keys : keys.reverse();
  }

  get marks(): number {
    return this.#bytes.readUInt32LE(this.#listsAt() - 4);
  }

  get existsIn(): PerView<boolean> {
    const { marks } = this;
    return perView((view) => (marks & BIT[view]) !== 0);
  }

  get served(): PerView<readonly RRset[]> {
    return (this.#served ??= this.#read());
  }

  #read(): PerView<readonly RRset[]> {
    const reader = new Reader(this.#bytes, this.#listsAt());
    const [meshList, lanList] = [reader.byte(), reader.byte()];
    const { owner } = this;
    const inPublic = readSets(reader, owner);
    const mesh = meshList === 0 ? inPublic : readSets(reader, owner);
    if (lanList > meshList) return { public: inPublic, mesh, lan: readSets(reader, owner) };
    return { public: inPublic, mesh, lan: lanList === 0 ? inPublic : mesh };
  }

  #listsAt(): number {
    return this.#at + 6 + (this.#bytes[this.#at + 1] ?? 0);
  }
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
    this.#at += 1;
    this.#put(bytes);
  }

  long(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.#room(bytes.length);
    this.#put(bytes);
  }

  /** Nearly all are few, and a call for each takes longer. */
  #put(bytes: Uint8Array): void {
    if (bytes.length > 64) this.#bytes.set(bytes, this.#at);
    else
      for (let from = 0; from < bytes.length; from++)
        this.#bytes[this.#at + from] = bytes[from] ?? 0;
    this.#at += bytes.length;
  }

  /** Leaves room for the size of what follows. @returns Where. */
  hole(): number {
    this.u32(0);
    return this.#at;
  }

  /** What was written since is as long as it is. */
  fill(hole: number): void {
    this.#bytes.writeUInt32LE(this.#at - hole, hole - 4);
  }

  take(): Uint8Array<ArrayBuffer> {
    const { buffer } = this.#bytes;
    return new Uint8Array(buffer, 0, this.#at);
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
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Passes over what stands behind its size. @returns Where it begins. */
  skip(): number {
    const size = this.u32();
    this.#at += size;
    return this.#at - size;
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
