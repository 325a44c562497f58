/**
 * Which name suffixes a message has already, and where (RFC 1035 section 4.1.4).
 *
 * Keyed by a hash over the labels from the right. A hit is compared with the bytes it points at,
 * so names that collide, by chance or by intent, only lose their compression.
 */
import type { DnsName } from "./dns-name.ts";

/** A pointer has 14 bits. */
const MAX_POINTER = 0x3fff;
/** RFC 1035: 255 bytes are at most 127 labels. */
const MAX_LABELS = 128;
/** FNV-1a, 32 bits. */
const HASH_START = 0x811c9dc5;
const HASH_PRIME = 0x01000193;

interface Found {
  /** The bytes of the name to write before the pointer, or all of them without one. */
  readonly length: number;
  readonly pointer: number | undefined;
}

export class SuffixTable {
  readonly #message: Uint8Array;
  readonly #places = new Map<number, number>();
  /** Of the name looked at last: where its labels start, and the hash from there to its end. */
  readonly #starts = new Uint8Array(MAX_LABELS);
  readonly #hashes = new Int32Array(MAX_LABELS);
  #measured: DnsName | undefined;
  #count = 0;

  constructor(message: Uint8Array) {
    this.#message = message;
  }

  clear(): void {
    this.#places.clear();
    // A packet's bytes may be another name in the next message.
    this.#measured = undefined;
  }

  /** Forgets suffixes that start at `place` or later. */
  forgetFrom(place: number): void {
    for (const [hash, at] of this.#places) if (at >= place) this.#places.delete(hash);
  }

  /** The longest known suffix of a name. */
  find(name: DnsName): Found {
    const count = this.#measure(name);
    for (let label = 0; label < count; label++) {
      const start = this.#starts[label] ?? 0;
      const place = this.#places.get(this.#hashes[label] ?? 0);
      if (place !== undefined && this.#equals(name, start, place)) {
        return { length: start, pointer: place };
      }
    }
    return { length: name.length, pointer: undefined };
  }

  /** Makes the suffixes known that start in the first `length` bytes of a name written at `at`. */
  add(name: DnsName, length: number, at: number): void {
    const count = this.#measure(name);
    for (let label = 0; label < count; label++) {
      const start = this.#starts[label] ?? 0;
      if (start >= length || at + start > MAX_POINTER) return;
      const hash = this.#hashes[label] ?? 0;
      if (!this.#places.has(hash)) this.#places.set(hash, at + start);
    }
  }

  #measure(name: DnsName): number {
    // What was looked for is often added right after.
    if (name === this.#measured) return this.#count;
    let count = 0;
    for (let at = 0; name[at] !== 0 && count < MAX_LABELS; at += (name[at] ?? 0) + 1) {
      this.#starts[count++] = at;
    }
    let hash = HASH_START;
    for (let label = count - 1; label >= 0; label--) {
      const start = this.#starts[label] ?? 0;
      const end = start + (name[start] ?? 0);
      for (let at = start; at <= end; at++) hash = Math.imul(hash ^ lower(name[at]), HASH_PRIME);
      this.#hashes[label] = hash;
    }
    this.#measured = name;
    this.#count = count;
    return count;
  }

  /** Compares the rest of a name with what stands at a place, pointers followed. */
  #equals(name: DnsName, start: number, place: number): boolean {
    let mine = start;
    let other = place;
    for (;;) {
      let size = this.#message[other] ?? 0;
      while (size >= 0xc0) {
        other = ((size & 0x3f) << 8) | (this.#message[other + 1] ?? 0);
        size = this.#message[other] ?? 0;
      }
      if (name[mine] !== size) return false;
      if (size === 0) return true;
      for (let step = 1; step <= size; step++) {
        if (lower(name[mine + step]) !== lower(this.#message[other + step])) return false;
      }
      mine += size + 1;
      other += size + 1;
    }
  }
}

function lower(byte = 0): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
