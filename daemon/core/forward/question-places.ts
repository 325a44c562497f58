/**
 * How many questions may wait for upstreams at once, and how many of them one client's.
 *
 * While less than half is taken one client may have a fourth of it; beyond, a few. So a client that
 * asks for thousands of names finds its own questions refused, and others notice nothing.
 */

/** What nobody is refused for the sake of others: a page with many parts waits for as many names. */
const FEW = 16;

export class QuestionPlaces {
  readonly #max: number;
  readonly #held = new Map<string, number>();
  #taken = 0;

  /** @param max - From 1. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Takes a place for a question of the client; false: it has enough, or there is none. */
  take(client: string): boolean {
    const held = this.#held.get(client) ?? 0;
    const most = this.#taken * 2 < this.#max ? Math.max(FEW, this.#max / 4) : FEW;
    if (this.#taken >= this.#max || held >= most) return false;
    this.#held.set(client, held + 1);
    this.#taken += 1;
    return true;
  }

  /** Gives one back. */
  free(client: string): void {
    const left = (this.#held.get(client) ?? 0) - 1;
    if (left < 0) return;
    this.#taken -= 1;
    if (left === 0) this.#held.delete(client);
    else this.#held.set(client, left);
  }
}
