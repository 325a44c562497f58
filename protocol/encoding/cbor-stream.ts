/**
 * Deterministic CBOR item by item, for trees: tens of thousands of entries a second, where a
 * general encoder is the slowest part of a backup that finds nothing new.
 *
 * Writes and takes the same encoding as cbor.ts (RFC 8949 section 4.2): shortest heads only. Only
 * the items that trees need: integers, byte strings, text, arrays, maps, true.
 */
import { CborError } from "./cbor.ts";

const TRUE = 0xf5;

export class CborWriter {
  #bytes = new Uint8Array(4096);
  #at = 0;

  /** Any integer that a double holds exactly. */
  integer(value: number): void {
    if (value < 0) this.#head(1, -1 - value);
    else this.#head(0, value);
  }

  bytes(value: Uint8Array): void {
    this.#head(2, value.length);
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** A key of one ASCII letter. */
  letter(value: string): void {
    this.#room(2);
    this.#bytes[this.#at++] = 0x61;
    this.#bytes[this.#at++] = value.charCodeAt(0);
  }

  array(length: number): void {
    this.#head(4, length);
  }

  map(length: number): void {
    this.#head(5, length);
  }

  true(): void {
    this.#room(1);
    this.#bytes[this.#at++] = TRUE;
  }

  /** Length of what was written so far. */
  get length(): number {
    return this.#at;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #head(major: number, value: number): void {
    this.#room(9);
    const top = major << 5;
    if (value < 24) {
      this.#bytes[this.#at++] = top | value;
      return;
    }
    const size = value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x100000000 ? 4 : 8;
    this.#bytes[this.#at++] = top | (24 + Math.log2(size));
    let rest = value;
    for (let i = size - 1; i >= 0; i--) {
      this.#bytes[this.#at + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#at += size;
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

/** Every method throws CborError E-CBOR-FORM when the next item is another one or is cut off. */
export class CborReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  integer(): number {
    const major = this.#peek() >> 5;
    if (major === 1) return -1 - this.#head(1);
    return this.#head(0);
  }

  /** Not a copy: a view of the bytes that are read. */
  bytes(): Uint8Array {
    return this.#take(this.#head(2));
  }

  /** The code of a one-letter key. */
  letter(): number {
    if (this.#peek() !== 0x61) throw form("a key of one letter");
    this.#at += 1;
    return this.#take(1)[0] ?? 0;
  }

  array(): number {
    return this.#counted(this.#head(4));
  }

  map(): number {
    return this.#counted(this.#head(5));
  }

  true(): true {
    if (this.#peek() !== TRUE) throw form("true");
    this.#at += 1;
    return true;
  }

  /** @throws CborError when anything is left. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw form("the end");
  }

  #head(major: number): number {
    const first = this.#peek();
    if (first >> 5 !== major) throw form(`an item of type ${major}`);
    this.#at += 1;
    const info = first & 31;
    if (info < 24) return info;
    if (info > 27) throw form("a definite length");
    const size = 1 << (info - 24);
    let value = 0;
    for (const byte of this.#take(size)) value = value * 256 + byte;
    const least = size === 1 ? 24 : 256 ** (size / 2);
    if (value < least || value > Number.MAX_SAFE_INTEGER) throw form("the shortest head");
    return value;
  }

  /** Each item takes a byte or more, so a larger count is a lie. */
  #counted(count: number): number {
    if (count > this.#bytes.length - this.#at) throw form("so many items");
    return count;
  }

  #peek(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw form("more bytes");
    return byte;
  }

  #take(size: number): Uint8Array {
    if (size > this.#bytes.length - this.#at) throw form("more bytes");
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
}

function form(expected: string): CborError {
  return new CborError("E-CBOR-FORM", `CBOR: ${expected} was expected.`);
}
