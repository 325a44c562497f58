/**
 * Reads the items that Yjs writes, in the one form in which it writes each.
 *
 * Every other form is refused: a longer number, a float for a whole number, a key twice. Source:
 * lib0, encoding.js (varints with the low bits first; `any` values with a byte for their type).
 */

/** Deeper than any value that a record may have, and its frame. */
const MAX_DEPTH = 10;
/** Whole numbers up to here are written as such, larger ones as floats. */
const MAX_WHOLE = 0x7fff_ffff;

/** Short texts that were read last, by a hash of theirs, so that names of fields are made once. */
const recent = Array.from({ length: 1024 }, () => "");
const MASK = recent.length - 1;
const MAX_RECENT = 16;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Every method throws RangeError when the bytes are cut off or another form. */
export class UpdateReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new RangeError("cut off");
    this.#at += 1;
    return byte;
  }

  count(): number {
    const first = this.byte();
    return first < 128 ? first : this.#longer(first & 127, 128);
  }

  text(): string {
    const sizeBytes = this.count();
    const from = this.#advance(sizeBytes);
    let hash = sizeBytes;
    let ascii = from;
    for (; ascii < this.#at; ascii++) {
      const byte = this.#bytes[ascii] ?? 0;
      if (byte > 127) break;
      hash = (hash * 31 + byte) & MASK;
    }
    // A decoder of the platform throws a TypeError for what is not UTF-8.
    if (ascii < this.#at) return utf8.decode(this.#bytes.subarray(from, this.#at));
    return sizeBytes > MAX_RECENT ? this.#ascii(from) : this.#recent(from, hash);
  }

  /** A JSON value. */
  any(depth = 0): unknown {
    if (depth > MAX_DEPTH) throw new RangeError("nested too deep");
    switch (this.byte()) {
      case 126:
        return null;
      case 125:
        return this.#whole();
      case 124:
        return this.#float(this.#bytes.readFloatBE(this.#advance(4)), true);
      case 123:
        return this.#float(this.#bytes.readDoubleBE(this.#advance(8)), false);
      case 121:
        return false;
      case 120:
        return true;
      case 119:
        return this.text();
      case 118:
        return this.#object(depth);
      case 117:
        return this.#array(depth);
      default:
        throw new RangeError("no JSON value");
    }
  }

  #object(depth: number): Record<string, unknown> {
    const length = this.#length(2);
    const object: Record<string, unknown> = {};
    for (let i = 0; i < length; i++) {
      const key = this.text();
      // Setting "__proto__" would give the object another prototype.
      if (key === "__proto__" || Object.hasOwn(object, key)) throw new RangeError("key");
      object[key] = this.any(depth + 1);
    }
    return object;
  }

  #array(depth: number): unknown[] {
    const length = this.#length(1);
    const array: unknown[] = [];
    for (let i = 0; i < length; i++) array.push(this.any(depth + 1));
    return array;
  }

  /** How many items follow; each takes some bytes, which bounds the room. */
  #length(bytesEach: number): number {
    const length = this.count();
    if (length * bytesEach > this.#bytes.length - this.#at) throw new RangeError("cut off");
    return length;
  }

  /** Whole numbers have their sign and six bits in the first byte. */
  #whole(): number {
    const first = this.byte();
    const low = first & 63;
    const size = first < 128 ? low : this.#longer(low, 64);
    if (size > MAX_WHOLE || (size === 0 && first !== 0)) throw new RangeError("number");
    return (first & 64) === 0 ? size : -size;
  }

  /** The bytes of a number after its first one; the last of them is not zero. */
  #longer(low: number, second: number): number {
    let value = low;
    for (let factor = second; factor <= Number.MAX_SAFE_INTEGER; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (value > Number.MAX_SAFE_INTEGER || byte === 0) break;
      if (byte < 128) return value;
    }
    throw new RangeError("number");
  }

  #float(value: number, short: boolean): number {
    const whole = Number.isInteger(value) && Math.abs(value) <= MAX_WHOLE;
    if (whole || (Math.fround(value) === value) !== short) throw new RangeError("number");
    return value;
  }

  #ascii(from: number): string {
    return this.#bytes.toString("latin1", from, this.#at);
  }

  #recent(from: number, hash: number): string {
    const known = recent[hash];
    if (known?.length === this.#at - from) {
      let i = 0;
      while (i < known.length && known.charCodeAt(i) === this.#bytes[from + i]) i++;
      if (i === known.length) return known;
    }
    return (recent[hash] = this.#ascii(from));
  }

  #advance(sizeBytes: number): number {
    const from = this.#at;
    if (sizeBytes > this.#bytes.length - from) throw new RangeError("cut off");
    this.#at = from + sizeBytes;
    return from;
  }
}
