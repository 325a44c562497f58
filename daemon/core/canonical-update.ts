/**
 * The one encoding of an admitted update.
 *
 * Yjs reads more byte strings than it writes: longer numbers, floats for whole numbers, keys twice,
 * bytes after the end. Every such form is a place where two programs may read one signed entry in
 * two ways, so only the form that Yjs itself writes is taken.
 */
import { UpdateEncoderV1, type ContentAny, type Item } from "yjs";

/** A range of an author's clock: from `clock`, so many items. */
export interface ClockRange {
  readonly clock: number;
  readonly len: number;
}

/** What the flat map of a log is made of: each item one value. */
export type RecordItem = Item & { readonly content: ContentAny };

const CONTENT_ANY = 8;
/** The item is a value under a key. Yjs sets it also when the item before it names the key. */
const HAS_KEY = 0x20;
const HAS_ORIGIN = 0x80;

/**
 * @param items - Of one client, without gaps.
 * @param deleted - Of the same client, ascending, none touching the next.
 * @param root - The name of the map that the items stand in.
 */
export function encodeUpdate(
  client: number,
  items: readonly RecordItem[],
  deleted: readonly ClockRange[],
  root: string,
): Uint8Array {
  const encoder = new UpdateEncoderV1();
  encoder.writeLen(items.length > 0 ? 1 : 0);
  if (items[0] !== undefined) {
    encoder.writeLen(items.length);
    encoder.writeClient(client);
    encoder.writeLen(items[0].id.clock);
  }
  for (const { origin, parentSub, content } of items) {
    encoder.writeInfo(CONTENT_ANY | HAS_KEY | (origin === null ? 0 : HAS_ORIGIN));
    if (origin !== null) encoder.writeLeftID(origin);
    else {
      encoder.writeParentInfo(true);
      encoder.writeString(root);
      encoder.writeString(parentSub ?? "");
    }
    encoder.writeLen(1);
    encoder.writeAny(content.arr[0]);
  }
  encoder.writeLen(deleted.length > 0 ? 1 : 0);
  if (deleted.length > 0) {
    encoder.writeClient(client);
    encoder.writeLen(deleted.length);
  }
  for (const { clock, len } of deleted) {
    encoder.writeDsClock(clock);
    encoder.writeDsLen(len);
  }
  return encoder.toUint8Array();
}

/** Whether ranges ascend and leave room between them, as Yjs merges them. */
export function areMerged(ranges: readonly ClockRange[]): boolean {
  let end = -1;
  return ranges.every(({ clock, len }) => {
    const apart = clock > end;
    end = clock + len;
    return apart;
  });
}
