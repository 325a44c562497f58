/**
 * Cuts a long answer into frames.
 */

/** What the items of one frame may have together; room for a largest one and its message. */
const MAX_ITEM_BYTES = 128 * 1024;

/** There is always a last frame; `more` says whether another one follows. */
export function* cutItems(
  items: readonly Uint8Array[],
  mostItems: number,
): Generator<{ readonly part: Uint8Array[]; readonly more: boolean }> {
  let part: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const item of items) {
    if (part.length >= mostItems || (part.length > 0 && sizeBytes + item.length > MAX_ITEM_BYTES)) {
      yield { part, more: true };
      part = [];
      sizeBytes = 0;
    }
    part.push(item);
    sizeBytes += item.length;
  }
  yield { part, more: false };
}
