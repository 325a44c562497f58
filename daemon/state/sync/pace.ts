/**
 * A token bucket that only delays.
 *
 * Nothing that a member sends is dropped for being too much; it is read later, and the transport's
 * back-pressure slows the member down.
 */
import type { Clock } from "../../core/clock.ts";

export interface PaceLimits {
  /** Tokens that come back each second: above 0. */
  readonly perSecond: number;
  /** Tokens that may be spent at once after a rest. */
  readonly burst: number;
}

export class Pace {
  readonly #clock: Clock;
  readonly #limits: PaceLimits;
  /** Below 0 while somebody waits: what is owed. */
  #tokens: number;
  #countedAtMs: number;

  constructor(clock: Clock, limits: PaceLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#countedAtMs = clock.monotonicMs();
  }

  /** Resolves when so many tokens are paid for; at once while there are enough. */
  async take(tokens: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#countedAtMs) / 1000) * this.#limits.perSecond;
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + earned) - tokens;
    this.#countedAtMs = nowMs;
    if (this.#tokens >= 0) return;
    const delayMs = (-this.#tokens / this.#limits.perSecond) * 1000;
    await new Promise<void>((resolve) => this.#clock.after(delayMs, resolve));
  }
}
