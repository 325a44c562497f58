/** Waits that end: an abort signal that the injected clock pulls, and that leaves no timer behind. */
import type { Clock } from "../core/clock.ts";
import { MeshError } from "./error.ts";

/**
 * Runs `work` with a signal that is aborted after `timeoutMs`, and rejects then even when the work
 * pays no heed to the signal.
 *
 * @throws MeshError (E-MESH-TIMEOUT) when the time is over first.
 */
export async function withDeadline<Result>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  let cancel = (): void => {};
  const over = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(timeoutMs, () => {
      const error = new MeshError("E-MESH-TIMEOUT", `${what} took longer than ${timeoutMs} ms.`);
      reject(error);
      controller.abort(error);
    });
  });
  try {
    return await Promise.race([work(controller.signal), over]);
  } finally {
    cancel();
  }
}
