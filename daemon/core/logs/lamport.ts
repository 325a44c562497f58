/**
 * The Lamport number that the next entry of this site carries.
 */
import { MAX_LAMPORT } from "../../../protocol/logs/record-version.ts";

/**
 * Others are followed up to here: one author that used up the numbers must not end the logs of
 * the others, which need a higher number each time.
 */
const MAX_FOLLOWED = 2 ** 40;

export class Lamport {
  #own = 0;
  #others = 0;

  /** @param own - The entry is one of this site's key, perhaps from before a restart. */
  note(lamport: number, own: boolean): void {
    if (own) this.#own = Math.max(this.#own, lamport);
    else this.#others = Math.max(this.#others, lamport);
  }

  /** Above all that this site has signed, and all that it follows. */
  next(): number {
    const followed = Math.min(this.#others, MAX_FOLLOWED);
    return Math.min(Math.max(followed, this.#own) + 1, MAX_LAMPORT);
  }
}
