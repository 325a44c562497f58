/**
 * One piece of work on a data set at a time.
 *
 * Whoever looks which shards are here, to sign for them, and whoever deletes shards that no list
 * names must not do so at once: a list that is just taken in may name one again.
 */
import type { SetName } from "./ports.ts";

export class SetGates {
  readonly #tails = new Map<string, Promise<unknown>>();

  run<Value>({ owner, set }: SetName, work: () => Promise<Value>): Promise<Value> {
    const key = `${owner}/${set}`;
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(work);
    const tail = result
      .catch(() => {})
      .finally(() => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
    this.#tails.set(key, tail);
    return result;
  }
}
