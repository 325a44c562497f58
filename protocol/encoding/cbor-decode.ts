/**
 * Reads the one encoding that cbor.ts allows, and refuses every other while it reads: so nothing
 * has to be encoded again to see that it is canonical.
 */
import { floatBytes } from "./cbor-encode.ts";
import { CborError, type CborValue } from "./cbor-value.ts";

/** Deeper than any format of ours; keeps hostile nesting from growing the stack. */
const MAX_DEPTH = 16;

/** Short texts that were read last, by a hash of theirs. */
const recent = Array.from({ length: 1024 }, () => "");
const MASK = recent.length - 1;
/** The longest of them: names of fields and kinds. */
const MAX_RECENT = 16;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws CborError E-CBOR-FORM, E-CBOR-CANONICAL */
export function decode(bytes: Uint8Array): CborValue {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at < bytes.length) throw malformed("more than one item");
  return value;
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): CborValue {
    const head = this.#byte();
    const info = head & 31;
    switch (head >> 5) {
      case 0:
        return this.#count(info);
      case 1:
        return negative(this.#count(info));
      case 2:
        return new Uint8Array(this.#slice(this.#length(info)));
      case 3:
        return this.#text(this.#length(info));
      case 4:
        return this.#array(this.#items(info, 1, depth), depth);
      case 5:
        return this.#map(this.#items(info, 2, depth), depth);
      case 7:
        return this.#simple(info);
      default:
        throw malformed("a tag");
    }
  }

  #array(length: number, depth: number): CborValue[] {
    const items: CborValue[] = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): CborValue {
    const map: Record<string, CborValue> = {};
    let before = 0;
    let beforeEnd = 0;
    for (let i = 0; i < length; i++) {
      const from = this.at;
      const head = this.#byte();
      if (head >> 5 !== 3) throw malformed("a key that is no text");
      const key = this.#text(this.#length(head & 31));
      if (i > 0 && !this.#isBefore(before, beforeEnd, from)) throw uncanonical("order of keys");
      // Setting it would give the map another prototype.
      if (key === "__proto__") throw malformed("a key that no map of ours can have");
      before = from;
      beforeEnd = this.at;
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  /**
   * Whether the key from `a` to `aEnd` comes before the one from `b` to here: by the length of
   * their encodings, then by their bytes (RFC 8949 section 4.2.3).
   */
  #isBefore(a: number, aEnd: number, b: number): boolean {
    const length = aEnd - a;
    if (length !== this.at - b) return length < this.at - b;
    for (let i = 0; i < length; i++) {
      const difference = (this.#bytes[a + i] ?? 0) - (this.#bytes[b + i] ?? 0);
      if (difference !== 0) return difference < 0;
    }
    return false;
  }

  /** How many items a list or map has; each takes at least one byte, which bounds the room. */
  #items(info: number, bytesEach: 1 | 2, depth: number): number {
    const length = this.#length(info);
    if (length * bytesEach > this.#bytes.length - this.at) throw malformed("cut off");
    if (length > 0 && depth >= MAX_DEPTH) throw malformed("nested too deep");
    return length;
  }

  #text(sizeBytes: number): string {
    const from = this.#advance(sizeBytes);
    let hash = sizeBytes;
    let ascii = from;
    for (; ascii < this.at; ascii++) {
      const byte = this.#bytes[ascii] ?? 0;
      if (byte > 127) break;
      hash = (hash * 31 + byte) & MASK;
    }
    if (ascii === this.at)
      return sizeBytes > MAX_RECENT ? this.#ascii(from) : this.#recent(from, hash);
    try {
      return utf8.decode(this.#bytes.subarray(from, this.at));
    } catch {
      throw malformed("text that is not UTF-8");
    }
  }

  #ascii(from: number): string {
    return this.#bytes.toString("latin1", from, this.at);
  }

  /** The same text as the last time, so that the names in messages are made once. */
  #recent(from: number, hash: number): string {
    const known = recent[hash];
    if (known?.length === this.at - from) {
      let i = 0;
      while (i < known.length && known.charCodeAt(i) === this.#bytes[from + i]) i++;
      if (i === known.length) return known;
    }
    return (recent[hash] = this.#ascii(from));
  }

  #simple(info: number): CborValue {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
        return this.#float(2);
      case 26:
        return this.#float(4);
      case 27:
        return this.#float(8);
      default:
        throw malformed("an unknown simple value");
    }
  }

  #float(sizeBytes: 2 | 4 | 8): number {
    const from = this.#advance(sizeBytes);
    const value =
      sizeBytes === 2
        ? this.#view.getFloat16(from)
        : sizeBytes === 4
          ? this.#view.getFloat32(from)
          : this.#view.getFloat64(from);
    if (!Number.isFinite(value)) throw malformed("a number that is none");
    if (Number.isSafeInteger(value) || floatBytes(value) !== sizeBytes) throw uncanonical("number");
    return value;
  }

  #length(info: number): number {
    const length = this.#count(info);
    if (typeof length === "bigint") throw malformed("cut off");
    return length;
  }

  /** The number in a head, in its shortest form. */
  #count(info: number): number | bigint {
    if (info < 24) return info;
    switch (info) {
      case 24:
        return longEnough(this.#view.getUint8(this.#advance(1)), 24);
      case 25:
        return longEnough(this.#view.getUint16(this.#advance(2)), 0x100);
      case 26:
        return longEnough(this.#view.getUint32(this.#advance(4)), 0x10000);
      case 27: {
        const value = this.#view.getBigUint64(this.#advance(8));
        if (value < 0x1_0000_0000n) throw uncanonical("number");
        return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
      }
      default:
        throw malformed("an indefinite or reserved length");
    }
  }

  #slice(sizeBytes: number): Uint8Array {
    const from = this.#advance(sizeBytes);
    return this.#bytes.subarray(from, from + sizeBytes);
  }

  #byte(): number {
    return this.#bytes[this.#advance(1)] ?? 0;
  }

  /** Where the next bytes begin, which are taken by that. */
  #advance(sizeBytes: number): number {
    const from = this.at;
    if (sizeBytes > this.#bytes.length - from) throw malformed("cut off");
    this.at = from + sizeBytes;
    return from;
  }
}

function longEnough(value: number, least: number): number {
  if (value < least) throw uncanonical("number");
  return value;
}

/** The value that a negative number's head stands for. */
function negative(rest: number | bigint): number | bigint {
  if (typeof rest === "bigint") return -1n - rest;
  const value = -1 - rest;
  return Number.isSafeInteger(value) ? value : -1n - BigInt(rest);
}

function malformed(what: string): CborError {
  return new CborError("E-CBOR-FORM", `The bytes are not a single CBOR value (${what}).`);
}

function uncanonical(what: string): CborError {
  return new CborError("E-CBOR-CANONICAL", `The bytes are not the canonical encoding (${what}).`);
}
