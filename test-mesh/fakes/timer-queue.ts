/** Timers in the order of their moments, and of those of one moment in the order of their setting. */
export interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** A binary heap: a mesh of a thousand sites has tens of thousands of timers. */
export class TimerQueue {
  readonly #heap: Timer[] = [];

  add(timer: Timer): void {
    this.#heap.push(timer);
    let at = this.#heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfBefore(at, parent)) break;
      at = parent;
    }
  }

  /** The first that is not cancelled, left in its place. */
  first(): Timer | undefined {
    while (this.#heap[0]?.cancelled === true) this.#dropFirst();
    return this.#heap[0];
  }

  /** Takes out what {@link first} has shown. */
  take(): void {
    this.#dropFirst();
  }

  #dropFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    let at = 0;
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const child = this.#isBefore(right, left) ? right : left;
      if (!this.#swapIfBefore(child, at)) return;
      at = child;
    }
  }

  #swapIfBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || other === undefined || !this.#isBefore(a, b)) return false;
    this.#heap[a] = other;
    this.#heap[b] = one;
    return true;
  }

  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || other === undefined) return one !== undefined;
    return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
  }
}
