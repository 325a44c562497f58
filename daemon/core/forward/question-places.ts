/**
 * How many questions may wait for upstreams at once, and how many of them one client's.
 *
 * While there is room one client may have a fourth of it; when half is taken, no more than an equal
 * share, but always some. So a client that asks for thousands of names finds its own questions refused,
 * and others notice nothing.
 */

/** A browser that opens a page with many parts asks for some dozens at once. */
const ALWAYS = 16;

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
    if (this.#taken >= this.#max || held >= this.#allowed(held)) return false;
    this.#held.set(client, held + 1);
    this.#taken += 1;
    return true;
  }

  #allowed(held: number): number {
    if (this.#taken * 2 < this.#max) return Math.max(ALWAYS, this.#max / 4);
    const clients = this.#held.size + (held === 0 ? 1 : 0);
    return Math.max(ALWAYS, this.#max / (clients + 1));
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
