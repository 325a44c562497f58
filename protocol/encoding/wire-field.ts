/**
 * The parts that schemas of wire formats are made of.
 *
 * Each is a codec: `z.decode` goes from decoded CBOR to the value in memory, `z.encode` the other
 * way. Decoding is a check of foreign input; encoding throws only on a bug of ours.
 */
import { z } from "zod";
import { fromHex, parseId, toHex, type AnyId } from "../ids.ts";

/** An identifier: bytes on the wire, lower-case hexadecimal text in memory. */
export function idField<Id extends AnyId>(sizeBytes: 16 | 32 = 32) {
  return z.codec(
    z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === sizeBytes),
    z.custom<Id>((value) => typeof value === "string" && parseId(value, sizeBytes) !== undefined),
    { decode: (bytes) => toHex(bytes) as Id, encode: (id) => fromHex(id) },
  );
}

/** Bytes of a bounded size. */
export function bytesField(leastBytes: number, mostBytes: number) {
  return z.custom<Uint8Array>(
    (value) =>
      value instanceof Uint8Array && value.length >= leastBytes && value.length <= mostBytes,
    { error: `expected ${leastBytes} to ${mostBytes} bytes` },
  );
}

/** A whole number from `least` up to `most`, exact in every language's double. */
export function countField(least: number, most = Number.MAX_SAFE_INTEGER) {
  return z.int().min(least).max(most);
}

/** C0, DEL, C1, line and paragraph separators, bidirectional overrides, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** A line of text for people: bounded, without anything that could fool a terminal. */
export function textField(mostCharacters: number, leastCharacters = 0) {
  return z
    .string()
    .min(leastCharacters)
    .max(mostCharacters)
    .refine((text) => !UNPRINTABLE.test(text), { error: "holds control characters" });
}

/** The name of a site: one DNS label (RFC 1123 section 2.1), lower case. */
export const siteNameField = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, { error: "is not a lower-case DNS label" });
