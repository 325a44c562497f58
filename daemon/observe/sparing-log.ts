/**
 * A log for what peers cause: who repeats itself a thousand times a second is told of once a minute.
 */
import type { LogFacts, Logger } from "./log.ts";

/** Between two lines about the same. */
const QUIET_MS = 60_000;
/** Different things that are told apart; beyond, the rest waits until one of them is quiet again. */
const MAX_TOPICS = 512;

interface Topic {
  readonly saidAtMs: number;
  /** Since that line. */
  unsaid: number;
}

export class SparingLog {
  readonly #log: Logger;
  readonly #monotonicMs: () => number;
  readonly #topics = new Map<string, Topic>();

  constructor(log: Logger, monotonicMs: () => number) {
    this.#log = log;
    this.#monotonicMs = monotonicMs;
  }

  /**
   * @param topic - What counts as the same, whatever the facts.
   * @param facts - Asked for only when a line is written. `times` is added when it was more than one.
   */
  warn(topic: string, message: string, facts: () => LogFacts): void {
    const nowMs = this.#monotonicMs();
    const known = this.#topics.get(topic);
    if (known !== undefined && nowMs - known.saidAtMs < QUIET_MS) {
      known.unsaid += 1;
      return;
    }
    if (known === undefined && this.#topics.size >= MAX_TOPICS && !this.#dropQuiet(nowMs)) return;
    this.#topics.set(topic, { saidAtMs: nowMs, unsaid: 0 });
    const times = (known?.unsaid ?? 0) + 1;
    this.#log.warn(message, { ...facts(), ...(times > 1 ? { times } : {}) });
  }

  /** False: nothing could be dropped. */
  #dropQuiet(nowMs: number): boolean {
    const before = this.#topics.size;
    for (const [topic, { saidAtMs }] of this.#topics) {
      if (nowMs - saidAtMs >= QUIET_MS) this.#topics.delete(topic);
    }
    return this.#topics.size < before;
  }
}
