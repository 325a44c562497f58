/** Who waits for shards of a group that are still on their way to this site. */
export class Arrivals {
  readonly #open = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Somebody began to send the group to us. Returns what says that it is over. */
  begin(group: string): () => void {
    this.#open.set(group, (this.#open.get(group) ?? 0) + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const left = (this.#open.get(group) ?? 1) - 1;
      if (left > 0) this.#open.set(group, left);
      else this.#open.delete(group);
      this.arrived(group);
    };
  }

  growing(group: string): boolean {
    return this.#open.has(group);
  }

  arrived(group: string): void {
    const waiting = this.#waiting.get(group) ?? [];
    this.#waiting.delete(group);
    for (const wake of waiting) wake();
  }

  /** Resolves at the next arrival, or when nobody sends any more. */
  next(group: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(group, [...(this.#waiting.get(group) ?? []), resolve]);
    });
  }
}
