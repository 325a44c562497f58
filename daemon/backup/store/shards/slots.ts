/** Lets only so many pieces of work run at once; the others wait for their share. */
import { FairShares, type Share } from "../../../core/backup/fair-shares.ts";

/** Where all are alike, they go in order. */
const ALIKE: readonly Share[] = [{ name: "", weight: 1 }];

export class Slots {
  readonly #waiting = new FairShares<() => void>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Runs the work when a slot is free. The work must not wait for another slot.
   *
   * @param path - Whose work it is; as long in each call. @param costBytes - How much it is.
   */
  async run<Value>(work: () => Promise<Value>, path = ALIKE, costBytes = 1): Promise<Value> {
    if (this.#free === 0) {
      await new Promise<void>((resolve) => this.#waiting.add(path, costBytes, resolve));
    } else this.#free--;
    try {
      return await work();
    } finally {
      const next = this.#waiting.take();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
