/**
 * How much of each author lies in the store, and in memory because of it.
 *
 * A flooding member fills its own room and nobody else's. The bound is one of this node, like its
 * disk: what does not fit is no fault of the peer that sends it.
 */
import type { Envelope } from "../../../protocol/envelope.ts";
import type { SiteId } from "../../../protocol/ids.ts";

/** Of one author, as {@link roomOf} counts. */
export const MAX_AUTHOR_BYTES = 256 * 1024 * 1024;
/**
 * What a record counts beside its bytes. In memory it takes 400, in the store as little as 27: by
 * those alone, one member could make every node hold ten million records, and end it.
 */
const ITEM_BYTES = 128;
/** And a log, whose document takes some room however little is in it. */
const LOG_BYTES = 4096;
/** No entry that is admitted has more. */
const MAX_ITEMS = 5000;

/** What an entry takes of its author's room, as its header tells before anything else is read. */
export function roomOf({ header, bytes }: Pick<Envelope, "header" | "bytes">): number {
  const { clockBefore, clockAfter, seq } = header;
  const items = Math.min(clockAfter - clockBefore, MAX_ITEMS);
  return bytes.length + items * ITEM_BYTES + (seq === 1 ? LOG_BYTES : 0);
}

export class AuthorRoom {
  readonly #used = new Map<SiteId, number>();
  readonly #most: number;
  readonly #full = new Set<SiteId>();

  /** @param most - Bytes of one author. Default: {@link MAX_AUTHOR_BYTES}. */
  constructor(most: number = MAX_AUTHOR_BYTES) {
    this.#most = most;
  }

  /** @param sizeBytes - Negative for what went. */
  note(author: SiteId, sizeBytes: number): void {
    this.#used.set(author, (this.#used.get(author) ?? 0) + sizeBytes);
  }

  fits(author: SiteId, sizeBytes: number): boolean {
    return (this.#used.get(author) ?? 0) + sizeBytes <= this.#most;
  }

  /** An entry of this author was refused, or one was taken again. */
  noteFull(author: SiteId, full: boolean): void {
    if (full) this.#full.add(author);
    else this.#full.delete(author);
  }

  /** Authors of which entries were refused, and none taken since. */
  full(): ReadonlySet<SiteId> {
    return this.#full;
  }
}
