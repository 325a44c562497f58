/**
 * Lists of types as bitmaps in windows of 256 types.
 *
 * Source: RFC 4034 section 4.1.2.
 */
import { formatType } from "./dns-type.ts";

/** @param types - In any order. */
export function typeBitmap(types: readonly number[]): Uint8Array {
  const windows = new Map<number, Uint8Array>();
  for (const type of types) {
    const bits = windows.get(type >> 8) ?? new Uint8Array(32);
    bits[(type & 255) >> 3] = (bits[(type & 255) >> 3] ?? 0) | (0x80 >> (type & 7));
    windows.set(type >> 8, bits);
  }
  const parts = [...windows]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([window, bits]) => {
      const size = bits.findLastIndex((byte) => byte !== 0) + 1;
      return [Uint8Array.of(window, size), bits.subarray(0, size)];
    });
  return Uint8Array.from(Buffer.concat(parts));
}

/** The types with blanks between them; undefined for bytes that {@link typeBitmap} never makes. */
export function formatTypeBitmap(bytes: Uint8Array): string | undefined {
  const types: string[] = [];
  let last = -1;
  for (let at = 0; at < bytes.length;) {
    const [window = 0, size = 0] = bytes.subarray(at, at + 2);
    const end = at + 2 + size;
    if (window <= last || size < 1 || size > 32 || end > bytes.length) return undefined;
    // RFC 4034 section 4.1.2: "Trailing zero octets in the bitmap MUST be omitted."
    if (bytes[end - 1] === 0) return undefined;
    for (let bit = 0; bit < size * 8; bit++) {
      const set = ((bytes[at + 2 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0;
      if (set) types.push(formatType(window * 256 + bit));
    }
    last = window;
    at = end;
  }
  return types.join(" ");
}
