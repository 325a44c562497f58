/**
 * The values that records may hold: JSON, with the few things left out on which machines disagree.
 */
import { encodeCbor } from "./cbor.ts";

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

const MAX_DEPTH = 8;

/**
 * Whether a value is JSON that every machine writes and reads alike: finite numbers, whole ones
 * exact in a double and not minus zero, no lone surrogates, at most eight levels.
 */
export function isJsonValue(value: unknown, depth = MAX_DEPTH): value is JsonValue {
  if (value === null || typeof value === "boolean") return true;
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") {
    if (!Number.isFinite(value) || Object.is(value, -0)) return false;
    return !Number.isInteger(value) || Number.isSafeInteger(value);
  }
  if (typeof value !== "object" || depth === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isJsonValue(item, depth - 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.entries(value).every(
    ([key, item]) => key.isWellFormed() && key !== "__proto__" && isJsonValue(item, depth - 1),
  );
}

/** The one encoding of a value: for hashes and for measuring. */
export function encodeJson(value: JsonValue): Uint8Array {
  return encodeCbor(value);
}

/** Whether two values are the same, whatever the order of their keys. */
export function sameJson(a: JsonValue, b: JsonValue): boolean {
  return Buffer.compare(encodeJson(a), encodeJson(b)) === 0;
}
