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
/** Each byte moves the sum by one bit. */
const WINDOW_BYTES = 32;

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
  const first = start + MIN_CUT_BYTES;
  const normal = Math.min(start + NORMAL_CUT_BYTES, stop);
  const early = findCut(gear, bytes, { from: first, to: normal, mask: EARLY_MASK, sum: 0 });
  if (early !== undefined) return early - start;
  // What is longer ago has left the 32 bits of the sum.
  let sum = 0;
  for (let at = Math.max(first, normal - WINDOW_BYTES); at < normal; at++) {
    sum = ((sum << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
  }
  const late = findCut(gear, bytes, { from: normal, to: stop, mask: LATE_MASK, sum });
  return late === undefined ? size : late - start;
}

interface Search {
  readonly from: number;
  readonly to: number;
  readonly mask: number;
  /** Of the bytes before `from`. */
  readonly sum: number;
}

/**
 * The end of the first window whose sum has zeros under the mask.
 *
 * Two bytes a turn, so that the sum of one need not wait for the sum of the other: over three
 * times as fast as byte after byte.
 */
function findCut(
  gear: Int32Array,
  bytes: Uint8Array,
  { from, to, mask, sum: before }: Search,
): number | undefined {
  let sum = before;
  let at = from;
  for (; at + 1 < to; at += 2) {
    const one = gear[bytes[at] ?? 0] ?? 0;
    const two = gear[bytes[at + 1] ?? 0] ?? 0;
    if ((((sum << 1) + one) & mask) === 0) return at + 1;
    sum = ((sum << 2) + (((one << 1) + two) | 0)) | 0;
    if ((sum & mask) === 0) return at + 2;
  }
  if (at === to) return undefined;
  sum = ((sum << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
  return (sum & mask) === 0 ? to : undefined;
}
