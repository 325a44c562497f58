/**
 * How much of each author lies in the store, and in memory because of it.
 *
 * A flooding member fills its own room and nobody else's. The bound is one of this node, like its
 * disk: what does not fit is no fault of the peer that sends it. What is counted is what is held
 * now: records that are written anew take no more than before, once their entries are pruned.
 */
import type { LogId, SiteId } from "../../../protocol/ids.ts";

/** Of one author: the bytes of its entries and headers, and what memory takes on top. */
export const MAX_AUTHOR_BYTES = 256 * 1024 * 1024;
/** What an entry takes in memory: its place, its id and its numbers. Measured: 260. */
export const ENTRY_BYTES = 288;
/** The same of a header of a snapshot, and of the snapshot itself. Measured: 310. */
export const HEADER_BYTES = 352;
/** A log that a snapshot names. Measured: 120. */
export const RETIREMENT_BYTES = 128;
/** A log, however little is in it. Measured: 3200. */
export const LOG_BYTES = 4096;

/** Looking for what may go costs time in proportion to what is held: not for each refused entry. */
const LOOK_AGAIN_MS = 10_000;

/** A log as far as it takes room. */
interface Tenant {
  readonly log: LogId;
  readonly author: SiteId;
  measureRoom(): number;
}

export class AuthorRoom {
  readonly #used = new Map<SiteId, number>();
  /** What each log took when it was measured last. */
  readonly #measured = new Map<LogId, number>();
  readonly #most: number;
  /** When all that may go of those that are full was let go last, by the running clock. */
  readonly #full = new Map<SiteId, number>();

  /** @param most - Bytes of one author. Default: {@link MAX_AUTHOR_BYTES}. */
  constructor(most: number = MAX_AUTHOR_BYTES) {
    this.#most = most;
  }

  /** To be called after a log or its documents have changed. */
  measure(tenant: Tenant): void {
    const { log, author } = tenant;
    const before = this.#measured.get(log) ?? 0;
    const now = tenant.measureRoom();
    this.#measured.set(log, now);
    this.#used.set(author, (this.#used.get(author) ?? 0) + now - before);
  }

  /** A log is no longer held. */
  release({ log, author }: Pick<Tenant, "log" | "author">): void {
    const before = this.#measured.get(log) ?? 0;
    this.#measured.delete(log);
    this.#used.set(author, (this.#used.get(author) ?? 0) - before);
  }

  fits(author: SiteId, sizeBytes: number): boolean {
    return (this.#used.get(author) ?? 0) + sizeBytes <= this.#most;
  }

  /** Whether it is of use to look for what may go of an author whose entry does not fit. */
  mayYield(author: SiteId, nowMs: number): boolean {
    return nowMs - (this.#full.get(author) ?? -Infinity) >= LOOK_AGAIN_MS;
  }

  /** All that may go of this author went, and its next entry does not fit all the same. */
  noteFull(author: SiteId, nowMs: number): void {
    this.#full.set(author, nowMs);
  }

  /** One was taken again. */
  noteTaken(author: SiteId): void {
    this.#full.delete(author);
  }

  /** Authors of which entries were refused, and none taken since. */
  full(): ReadonlySet<SiteId> {
    return new Set(this.#full.keys());
  }
}
