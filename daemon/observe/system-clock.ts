/** The real clock: the system's time, timers that do not keep the process alive, and its chance. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";

/** Node keeps timers in 31 bits of milliseconds and calls back at once beyond. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), MAX_DELAY_MS)).unref();
    return () => clearTimeout(timer);
  },
  random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
};
