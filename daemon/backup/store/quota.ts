/**
 * How much this site holds for others, and whether more fits into what it lends.
 *
 * Counted from the files at the start, then with each shard. A list reserves its room before its
 * shards come, so two owners cannot both be promised the last gigabyte. Nothing that is stored is
 * ever evicted: what does not fit is refused.
 */
export class Quota {
  readonly #giveBytes: () => number;
  #usedBytes = 0;
  #reservedBytes = 0;

  /** @param giveBytes - What is lent now; a reload of the configuration may change it. */
  constructor(giveBytes: () => number) {
    this.#giveBytes = giveBytes;
  }

  /** What is lent, in bytes. */
  get spaceBytes(): number {
    return this.#giveBytes();
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get freeBytes(): number {
    return Math.max(0, this.spaceBytes - this.#usedBytes - this.#reservedBytes);
  }

  /** So much more lies on the disk for others. */
  stored(bytes: number): void {
    this.#usedBytes += bytes;
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
