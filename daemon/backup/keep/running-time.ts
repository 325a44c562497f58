/**
 * How long this daemon has run, over all its starts: the only clock that locks and trash know.
 *
 * Wall clocks jump and are set by whoever is root; this one counts what the monotonic clock says,
 * writes it down every ten minutes, and goes on from there after a start. So it is coarse and may
 * be late: what ran since the last note is forgotten by a crash, and nothing counts while the
 * daemon is down. It is never early. A step that is longer than two notes apart counts as two: the
 * process was stopped, or its clock jumped.
 */
import type { Clock } from "../../core/clock.ts";
import type { Store } from "../../core/store.ts";

/** In the store: milliseconds as decimal digits. */
export const RUNNING_TIME_KEY = "backup/running-ms";
const NOTE_MS = 10 * 60_000;
const LONGEST_STEP_MS = 2 * NOTE_MS;

export class RunningTime {
  readonly #store: Store;
  readonly #clock: Clock;
  #countedMs: number;
  #lookedMs: number;
  #cancel: (() => void) | undefined;

  private constructor(store: Store, clock: Clock, countedMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#countedMs = countedMs;
    this.#lookedMs = clock.monotonicMs();
  }

  static async open(store: Store, clock: Clock): Promise<RunningTime> {
    const value = await store.get(RUNNING_TIME_KEY);
    const found = value === undefined ? 0 : Number(Buffer.from(value).toString("latin1"));
    const time = new RunningTime(store, clock, Number.isSafeInteger(found) ? found : 0);
    time.#noteSoon();
    return time;
  }

  /** Milliseconds, from 0 in a new directory. Never goes back while the daemon runs. */
  nowMs(): number {
    const nowMs = this.#clock.monotonicMs();
    const stepMs = Math.max(0, nowMs - this.#lookedMs);
    this.#lookedMs = nowMs;
    this.#countedMs += Math.min(stepMs, LONGEST_STEP_MS);
    return Math.floor(this.#countedMs);
  }

  /** Writes down what was counted, where there is room, and counts no more. */
  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    // A full disk makes the time late, nothing else.
    await this.#note().catch(() => {});
  }

  #noteSoon(): void {
    this.#cancel = this.#clock.after(NOTE_MS, () => {
      this.#noteSoon();
      this.#note().catch(() => {});
    });
  }

  async #note(): Promise<void> {
    const value = Buffer.from(String(this.nowMs()), "latin1");
    await this.#store.write([{ kind: "put", key: RUNNING_TIME_KEY, value }], "cached");
  }
}
