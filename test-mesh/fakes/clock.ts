/**
 * Time that stands still until a test turns it.
 *
 * A {@link FakeTime} is one line of time; each node gets a clock on it, which may show another
 * wall time. Callbacks run in the order of their moments, and after each the promises that hang on
 * it run until nothing is left to do at that moment, so a seed repeats a run exactly.
 */
import type { Clock } from "../../daemon/core/clock.ts";
import { SeededRandom } from "./seeded-random.ts";
import { TimerQueue, type Timer } from "./timer-queue.ts";

/** A clock whose wall time a test sets wrong. */
export interface FakeClock extends Clock {
  /** Puts the wall time forwards or, with a negative number, back. */
  jump(byMs: number): void;
}

/** Some moment in 2026; nothing may depend on which. */
const START_WALL_MS = 1_790_000_000_000;

export class FakeTime {
  readonly #random: SeededRandom;
  readonly #timers = new TimerQueue();
  #nowMs = 0;
  #ordered = 0;

  constructor(seed = 1) {
    this.#random = new SeededRandom(seed);
  }

  /** Milliseconds since this line of time began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** @param wallOffsetMs - How wrong this clock's wall time is. Default: right. */
  clock(wallOffsetMs = 0): FakeClock {
    const random = this.#random.fork();
    let offsetMs = wallOffsetMs;
    return {
      jump: (byMs) => (offsetMs += byMs),
      wallMs: () => START_WALL_MS + Math.floor(this.#nowMs) + offsetMs,
      monotonicMs: () => this.#nowMs,
      random: (sizeBytes) => random.bytes(sizeBytes),
      after: (delayMs, callback) => {
        const timer: Timer = {
          dueMs: this.#nowMs + Math.max(0, delayMs),
          order: this.#ordered++,
          callback,
          cancelled: false,
        };
        this.#timers.add(timer);
        return () => (timer.cancelled = true);
      },
    };
  }

  /** Lets everything happen that waits for no time. */
  async settle(): Promise<void> {
    // A turn of the event loop runs all promises; the second catches those that took a turn.
    for (let turn = 0; turn < 2; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Moves on by so much, and calls back what falls due on the way. */
  async advance(durationMs: number): Promise<void> {
    await this.#runUntil(this.#nowMs + durationMs, () => false);
  }

  /**
   * Moves on until the condition holds.
   *
   * @returns the milliseconds it took.
   * @throws Error when it still does not hold after `limitMs`.
   */
  async until(condition: () => boolean, limitMs: number, what = "the condition"): Promise<number> {
    const startMs = this.#nowMs;
    await this.settle();
    if (!condition()) await this.#runUntil(startMs + limitMs, condition);
    if (!condition()) throw new Error(`${what} did not come about within ${limitMs} ms`);
    return this.#nowMs - startMs;
  }

  /** The value of a promise that may need time to pass. */
  async resolve<Value>(promise: Promise<Value>, limitMs = 600_000): Promise<Value> {
    let done = false;
    const settled = promise.finally(() => (done = true));
    settled.catch(() => {});
    await this.until(() => done, limitMs, "the promise");
    return settled;
  }

  async #runUntil(endMs: number, stop: () => boolean): Promise<void> {
    await this.settle();
    for (;;) {
      const timer = this.#timers.first();
      if (timer === undefined || timer.dueMs > endMs) break;
      this.#timers.take();
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.callback();
      await this.settle();
      if (stop()) return;
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }
}
