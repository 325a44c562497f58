/**
 * Does something again and again: some while after it was done the last time, or sooner when
 * somebody asks for it.
 *
 * The earliest moment that was asked for counts. A later request never puts it off: whoever asks
 * again and again would otherwise keep it from being done at all.
 */
import type { Clock } from "../core/clock.ts";

export class RepeatedWork {
  readonly #clock: Clock;
  readonly #task: () => Promise<number>;
  /** When it is to be done, by the monotonic clock; Infinity: not before somebody asks. */
  #dueMs = Infinity;
  #cancel: () => void = () => {};
  #isRunning = false;
  #running: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();

  /**
   * @param task - Never rejects. Resolves with after how many milliseconds at most it is to be done
   * again; Infinity when only somebody's request makes it due again.
   */
  constructor(clock: Clock, task: () => Promise<number>) {
    this.#clock = clock;
    this.#task = task;
  }

  /** Long tasks look at it between their parts. */
  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Aborted by the stop: tasks need not wait to the end for what nobody needs any more. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Does it after so many milliseconds at most. While it is being done: once more afterwards. */
  within(delayMs: number): void {
    const dueMs = this.#clock.monotonicMs() + delayMs;
    if (this.isStopped || dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    if (!this.#isRunning) this.#wait();
  }

  #wait(): void {
    this.#cancel();
    const leftMs = this.#dueMs - this.#clock.monotonicMs();
    this.#cancel = this.#clock.after(Math.max(0, leftMs), () => {
      this.#dueMs = Infinity;
      this.#isRunning = true;
      this.#running = this.#task().then((nextMs) => {
        this.within(nextMs);
        this.#isRunning = false;
        if (this.#dueMs < Infinity && !this.isStopped) this.#wait();
      });
    });
  }

  /** Waits for what is under way; nothing begins any more. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the node stops"));
    this.#cancel();
    await this.#running;
  }
}
