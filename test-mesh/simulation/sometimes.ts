/**
 * Counts how often a simulation reached something rare, so that one that never does fails.
 *
 * Chance that stopped reaching restarts or conflicts would otherwise look like success.
 */
import assert from "node:assert/strict";

export class Sometimes {
  readonly #counts = new Map<string, number>();

  reached(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** @throws AssertionError naming each that was never reached. */
  mustHaveReached(...all: readonly string[]): void {
    const never = all.filter((what) => !this.#counts.has(what));
    assert.deepEqual(never, [], "a run that never reached these shows nothing about them");
  }

  get summary(): string {
    return [...this.#counts].map(([what, count]) => `${what} ${count}`).join(", ");
  }
}
