/** Waiting for what comes about by itself, with an end. */
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 50;

/**
 * Asks again and again until the answer is neither undefined nor false.
 *
 * @param what - Completes "waited for …" in the error.
 * @param timeoutMs - The wait fails after this, with the last error of `ask` as its cause.
 */
export async function waitFor<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > endMs) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause });
    }
    await sleep(POLL_MS);
  }
}
