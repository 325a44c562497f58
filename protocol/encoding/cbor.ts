/**
 * Deterministic CBOR: one value has one encoding, and anything else is refused.
 *
 * Source: RFC 8949 section 4.2, with map keys sorted by length first (4.2.3). Signed bytes are
 * kept and sent as they came; they are never encoded again.
 */
import { decode } from "./cbor-decode.ts";
import { encode } from "./cbor-encode.ts";
import { CborError, type CborValue } from "./cbor-value.ts";

export { CborError, type CborValue };

/** @throws RangeError for a number or type that has no encoding, which is a bug in the caller. */
export function encodeCbor(value: CborValue): Uint8Array {
  return encode(value);
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
  return decode(bytes);
}
