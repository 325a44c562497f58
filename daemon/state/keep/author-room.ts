/**
 * How much of each author lies in the store.
 *
 * A flooding member fills its own room and nobody else's. The bound is one of this node, like its
 * disk: what does not fit is no fault of the peer that sends it.
 */
import type { SiteId } from "../../../protocol/ids.ts";

/** Bytes of entries and headers of one author. */
export const MAX_AUTHOR_BYTES = 256 * 1024 * 1024;

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
