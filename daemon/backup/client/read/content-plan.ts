/** Which bytes of a file which bytes of its chunks become, and whether its entry can name them. */
import { MAX_TREE_CHUNK_BYTES } from "../../../../protocol/backup/chunk.ts";
import type { Extent, FileEntry } from "../../../../protocol/backup/tree.ts";

/** The lists are all of an entry but for names and attributes. */
const MAX_LIST_BYTES = 0.9 * MAX_TREE_CHUNK_BYTES;
/** The most that a range of data takes in an entry. */
const EXTENT_BYTES = 19;

/** Whether the entry fits in a tree chunk: files of more than some 2 TiB do not. */
export function fitsTree({ chunks, extents }: FileEntry): boolean {
  return chunks.length + (extents?.length ?? 0) * EXTENT_BYTES <= MAX_LIST_BYTES;
}

/** Bytes that the chunks of a file have to hold: its size without its holes. */
export function dataBytes({ extents, sizeBytes }: FileEntry): number {
  if (extents === undefined) return sizeBytes;
  return extents.reduce((sum, { length }) => sum + length, 0);
}

/**
 * The ranges of the file that take a part of its data.
 *
 * @param from - Where the part begins in the data (holes not counted); it lies inside.
 */
export function rangesOf(
  extents: readonly Extent[] | undefined,
  from: number,
  length: number,
): readonly Extent[] {
  if (extents === undefined) return [{ offset: from, length }];
  const ranges: Extent[] = [];
  let start = 0;
  for (const extent of extents) {
    const first = Math.max(from, start);
    const last = Math.min(from + length, start + extent.length);
    if (first < last) {
      ranges.push({ offset: extent.offset + first - start, length: last - first });
    }
    start += extent.length;
  }
  return ranges;
}
