/**
 * Writes the one encoding that cbor.ts allows.
 *
 * By hand, because a general encoder makes an object for each item, and every record that a node
 * admits or loads is encoded to be named by its hash.
 */
import type { CborValue } from "./cbor-value.ts";

/** Room for nearly everything; what is larger grows it for as long as it is written. */
const SCRATCH_BYTES = 64 * 1024;
const MAX_UINT64 = 2n ** 64n - 1n;

let buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
let at = 0;

/** @throws RangeError for a value that CBOR of ours cannot say, which is a bug in the caller. */
export function encode(value: CborValue): Uint8Array {
  at = 0;
  try {
    write(value);
    return new Uint8Array(buffer.subarray(0, at));
  } finally {
    if (buffer.length > SCRATCH_BYTES) buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  }
}

function write(value: CborValue): void {
  if (typeof value === "string") writeText(value);
  else if (typeof value === "number") writeNumber(value);
  else if (typeof value === "boolean") writeByte(value ? 0xf5 : 0xf4);
  else if (typeof value === "bigint") writeBigInt(value);
  else if (value === null) writeByte(0xf6);
  else if (value instanceof Uint8Array) writeBytes(value);
  else if (Array.isArray(value)) writeArray(value as readonly CborValue[]);
  else if (typeof value === "object") writeMap(value as { readonly [key: string]: CborValue });
  else throw new RangeError(`${typeof value} has no encoding`);
}

function writeArray(items: readonly CborValue[]): void {
  writeHead(4, items.length);
  for (const item of items) write(item);
}

/** Keys by the length of their encoding, then by its bytes (RFC 8949 section 4.2.3). */
function writeMap(map: { readonly [key: string]: CborValue }): void {
  const keys = Object.keys(map);
  writeHead(5, keys.length);
  for (let i = 1; i < keys.length; i++) {
    if (compareKeys(keys[i - 1] ?? "", keys[i] ?? "") < 0) continue;
    keys.sort(compareKeys);
    break;
  }
  for (const key of keys) {
    writeText(key);
    write(map[key] as CborValue);
  }
}

function compareKeys(a: string, b: string): number {
  if (!isAscii(a) || !isAscii(b)) {
    const length = Buffer.byteLength(a) - Buffer.byteLength(b);
    return length === 0 ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : length;
  }
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** What is so short is cheaper to copy here than to hand over. */
const SHORT_TEXT = 32;
const SHORT_BYTES = 64;

function writeText(text: string): void {
  const { length } = text;
  if (length < SHORT_TEXT) {
    // For the longest head, too: room that is made after the text was put there loses it.
    makeRoom(9 + length);
    const start = length < 24 ? at + 1 : at + 2;
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) break;
      buffer[start + i] = code;
    }
    if (i === length) {
      writeHead(3, length);
      at += length;
      return;
    }
  }
  const sizeBytes = Buffer.byteLength(text);
  writeHead(3, sizeBytes);
  makeRoom(sizeBytes);
  at += buffer.write(text, at);
}

function writeBytes(bytes: Uint8Array): void {
  writeHead(2, bytes.length);
  makeRoom(bytes.length);
  if (bytes.length <= SHORT_BYTES) {
    for (let i = 0; i < bytes.length; i++) buffer[at + i] = bytes[i] ?? 0;
  } else buffer.set(bytes, at);
  at += bytes.length;
}

function writeNumber(value: number): void {
  if (Number.isSafeInteger(value)) {
    if (value >= 0) writeHead(0, value);
    else writeHead(1, -1 - value);
    return;
  }
  if (!Number.isFinite(value)) throw new RangeError(`${value} has no encoding`);
  const sizeBytes = floatBytes(value);
  makeRoom(9);
  const view = new DataView(buffer.buffer, buffer.byteOffset + at);
  view.setUint8(0, sizeBytes === 2 ? 0xf9 : sizeBytes === 4 ? 0xfa : 0xfb);
  if (sizeBytes === 2) view.setFloat16(1, value);
  else if (sizeBytes === 4) view.setFloat32(1, value);
  else view.setFloat64(1, value);
  at += 1 + sizeBytes;
}

/** The fewest bytes that hold a number exactly as a float. */
export function floatBytes(value: number): 2 | 4 | 8 {
  if (Math.f16round(value) === value) return 2;
  return Math.fround(value) === value ? 4 : 8;
}

function writeBigInt(value: bigint): void {
  const rest = value < 0n ? -1n - value : value;
  if (rest > MAX_UINT64) throw new RangeError(`${value} has no encoding`);
  const major = value < 0n ? 1 : 0;
  if (rest <= BigInt(Number.MAX_SAFE_INTEGER)) {
    writeHead(major, Number(rest));
    return;
  }
  makeRoom(9);
  buffer[at] = (major << 5) | 27;
  buffer.writeBigUInt64BE(rest, at + 1);
  at += 9;
}

function writeHead(major: number, value: number): void {
  makeRoom(9);
  const type = major << 5;
  if (value < 24) {
    buffer[at++] = type | value;
  } else if (value < 0x100) {
    buffer[at++] = type | 24;
    buffer[at++] = value;
  } else if (value < 0x10000) {
    buffer[at++] = type | 25;
    buffer[at++] = value >> 8;
    buffer[at++] = value & 0xff;
  } else if (value < 0x1_0000_0000) {
    buffer[at++] = type | 26;
    at = buffer.writeUInt32BE(value, at);
  } else {
    buffer[at++] = type | 27;
    at = buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
    at = buffer.writeUInt32BE(value % 0x1_0000_0000, at);
  }
}

function writeByte(byte: number): void {
  makeRoom(1);
  buffer[at++] = byte;
}

function makeRoom(sizeBytes: number): void {
  if (at + sizeBytes <= buffer.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, at + sizeBytes));
  buffer.copy(larger, 0, 0, at);
  buffer = larger;
}
