/**
 * Counts how often a simulation reached something rare, so that one that never does fails.
 *
 * Chance that stopped reaching restarts or conflicts would otherwise look like success.
 */
export class Sometimes {
  readonly #counts = new Map<string, number>();

  reached(what: string, times = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }

  /** How often each was reached. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }
}

/** Those of `all` that stand at 0, sorted: runs that never reached them show nothing about them. */
export function neverReached(
  all: readonly string[],
  counts: ReadonlyMap<string, number>,
): readonly string[] {
  return all.filter((what) => (counts.get(what) ?? 0) === 0).toSorted();
}
