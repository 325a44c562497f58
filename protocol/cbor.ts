/**
 * Deterministic CBOR: one value has one encoding, and anything else is refused.
 *
 * Source: RFC 8949 section 4.2, with map keys sorted by length first (4.2.3). Signed bytes are
 * kept and sent as they came; they are never encoded again, except here to see that they are
 * canonical.
 */
import { decode as decodeAny, encode as encodeAny } from "cborg";
import { PleachError } from "./error.ts";

/** What may stand in a message or a signed body. `undefined` is left out of maps by the caller. */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue };

/** Deeper than any format of ours; keeps hostile nesting from growing the stack. */
const MAX_DEPTH = 16;

export class CborError extends PleachError<"E-CBOR-SIZE" | "E-CBOR-FORM" | "E-CBOR-CANONICAL"> {}

export function encodeCbor(value: CborValue): Uint8Array {
  return Uint8Array.from(encodeAny(value));
}

/**
 * Decodes bytes from outside.
 *
 * @param maxBytes - Longer input is refused before anything is decoded.
 * @throws CborError when the input is too long, not CBOR, or not the one canonical encoding.
 */
export function decodeCbor(bytes: Uint8Array, maxBytes: number): CborValue {
  if (bytes.length > maxBytes) {
    throw new CborError("E-CBOR-SIZE", `${bytes.length} bytes, at most ${maxBytes} are allowed.`);
  }
  let value: CborValue;
  try {
    checkDepth(bytes);
    value = decodeAny(bytes, {
      strict: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowNaN: false,
      allowInfinity: false,
      rejectDuplicateMapKeys: true,
    }) as CborValue;
  } catch (cause) {
    throw new CborError("E-CBOR-FORM", "The bytes are not a single CBOR value.", { cause });
  }
  const again = encodeAny(value);
  if (Buffer.compare(again, bytes) !== 0) {
    throw new CborError("E-CBOR-CANONICAL", "The bytes are not the canonical encoding.");
  }
  return value;
}

/**
 * Walks the heads of the items without recursion, so that 250,000 nested arrays in 250 kB end
 * here and not in a full stack.
 */
function checkDepth(bytes: Uint8Array): void {
  const left: number[] = [];
  let at = 0;
  do {
    const head = bytes[at];
    if (head === undefined) throw new RangeError("cut off");
    const major = head >> 5;
    const { value, next } = readLength(bytes, at, head & 31);
    at = next;
    if (major === 2 || major === 3) at += value;
    if (at > bytes.length) throw new RangeError("cut off");
    let opened = major === 4 ? value : major === 5 ? value * 2 : major === 6 ? 1 : 0;
    if (opened > bytes.length - at) throw new RangeError("cut off");
    if (opened > 0 && left.length >= MAX_DEPTH) throw new RangeError("nested too deep");
    if (opened > 0) left.push(opened);
    while (opened === 0 && left.length > 0) {
      const rest = (left.pop() ?? 1) - 1;
      if (rest > 0) {
        left.push(rest);
        break;
      }
      opened = 0;
    }
  } while (left.length > 0);
}

function readLength(bytes: Uint8Array, at: number, info: number): { value: number; next: number } {
  if (info < 24) return { value: info, next: at + 1 };
  if (info > 27) throw new RangeError("indefinite or reserved length");
  const size = 1 << (info - 24);
  let value = 0;
  for (let i = 1; i <= size; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new RangeError("cut off");
    value = value * 256 + byte;
  }
  return { value, next: at + 1 + size };
}
