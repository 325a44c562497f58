/** Does something again and again, each time some while after it was done the last time. */
import type { Clock } from "../core/clock.ts";

export class RepeatedWork {
  readonly #clock: Clock;
  readonly #task: () => Promise<number>;
  #cancel: (() => void) | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  /** @param task - Never rejects. Resolves with how many milliseconds later it is to be done again. */
  constructor(clock: Clock, task: () => Promise<number>) {
    this.#clock = clock;
    this.#task = task;
  }

  /** Long tasks look at it between their parts. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Does it after so many milliseconds, and from then on. */
  startIn(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#running = this.#task().then((nextMs) => this.startIn(nextMs));
    });
  }

  /** Waits for what is under way; nothing begins any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#running;
  }
}
