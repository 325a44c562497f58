/**
 * How much this site holds for others, and whether more fits into what it lends.
 *
 * Counted from the files at the start, then with each shard. A list reserves its room before its
 * shards come, so two owners cannot both be promised the last gigabyte. Nothing that is stored is
 * ever evicted: what does not fit is refused.
 */
import type { SetId } from "../../../protocol/ids.ts";

export class Quota {
  readonly #usedBytes = new Map<SetId, number>();
  readonly #isOwn: (set: SetId) => boolean;
  readonly #giveBytes: () => number;
  #reservedBytes = 0;

  /**
   * @param giveBytes - What is lent now; a reload of the configuration may change it.
   * @param isOwn - Whether a set is written by this site: its shards count as nobody's guest.
   */
  constructor(giveBytes: () => number, isOwn: (set: SetId) => boolean) {
    this.#giveBytes = giveBytes;
    this.#isOwn = isOwn;
  }

  get spaceBytes(): number {
    return this.#giveBytes();
  }

  get usedBytes(): number {
    let sum = 0;
    for (const [set, bytes] of this.#usedBytes) if (!this.#isOwn(set)) sum += bytes;
    return sum;
  }

  get freeBytes(): number {
    return Math.max(0, this.spaceBytes - this.usedBytes - this.#reservedBytes);
  }

  stored(set: SetId, bytes: number): void {
    this.#usedBytes.set(set, (this.#usedBytes.get(set) ?? 0) + bytes);
  }

  /** Undefined when it does not fit. */
  reserve(bytes: number): Reservation | undefined {
    if (bytes > this.freeBytes) return undefined;
    let leftBytes = bytes;
    this.#reservedBytes += bytes;
    const give = (backBytes: number): void => {
      const back = Math.min(leftBytes, backBytes);
      leftBytes -= back;
      this.#reservedBytes -= back;
    };
    return { used: give, release: () => give(leftBytes) };
  }
}

export interface Reservation {
  /** So much of it is stored now and counted as such. */
  used(bytes: number): void;
  /** Gives back what was not used. */
  release(): void;
}
