/**
 * Where a file is cut into chunks: by content, so that an insertion moves no other cut.
 *
 * A gear hash with normalised chunking: before the normal size a cut needs 22 zero bits, after it
 * 18, so that sizes gather around 1 MiB. Files below 256 KiB are one chunk. The table comes from
 * K_cut, but no secrecy rests on it: what hides the sizes is the packing into full shards.
 *
 * Source: Xia et al.: FastCDC. USENIX ATC 2016, sections 3.2 to 3.5.
 */
import { hkdfSync } from "node:crypto";
import { MAX_CHUNK_BYTES } from "./chunk.ts";

export const MIN_CUT_BYTES = 256 * 1024;
export const NORMAL_CUT_BYTES = 1024 * 1024;

/** The high bits depend on most bytes of the window of 32. */
const EARLY_MASK = 0xfffffc00 | 0;
const LATE_MASK = 0xffffc000 | 0;

/** 256 numbers of 32 bits from K_cut (32 bytes). */
export function gearTable(cutKey: Uint8Array): Int32Array {
  const table = new Int32Array(256);
  const bytes = hkdfSync("sha256", cutKey, new Uint8Array(0), "pleach/gear-table/1", 1024);
  const view = new DataView(bytes);
  for (let at = 0; at < table.length; at++) table[at] = view.getInt32(at * 4);
  return table;
}

/**
 * Length of the chunk that begins at `start`.
 *
 * @param end - End of the bytes that are there. Unless the file ends there, at least
 *   {@link MAX_CHUNK_BYTES} must be there, or the cut would depend on how the file was read.
 */
export function cutLength(gear: Int32Array, bytes: Uint8Array, start: number, end: number): number {
  const size = Math.min(end - start, MAX_CHUNK_BYTES);
  if (size <= MIN_CUT_BYTES) return size;
  const stop = start + size;
  const normal = Math.min(start + NORMAL_CUT_BYTES, stop);
  let at = start + MIN_CUT_BYTES;
  let sum = 0;
  for (; at < normal; at++) {
    sum = ((sum << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
    if ((sum & EARLY_MASK) === 0) return at + 1 - start;
  }
  for (; at < stop; at++) {
    sum = ((sum << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
    if ((sum & LATE_MASK) === 0) return at + 1 - start;
  }
  return size;
}
