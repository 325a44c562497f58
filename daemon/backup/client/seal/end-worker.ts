/** Ends worker threads without cutting them off in the middle of something. */
import type { Worker } from "node:worker_threads";
import { setTimeout as sleep } from "node:timers/promises";

/** A worker has at most a few portions of work left, a second or so. */
const PATIENCE_MS = 20_000;

/** Last message to a worker: it closes its port, and so ends. */
export interface EndMessage {
  readonly type: "end";
}

/**
 * Asks a worker to end after the work it has. Only one that does not is terminated: a thread that
 * is stopped while it loads a native module or is inside a call of one takes the process down.
 */
export async function endWorker(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return;
  const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  worker.postMessage({ type: "end" } satisfies EndMessage);
  const late = new AbortController();
  const timer = sleep(PATIENCE_MS, "late" as const, { signal: late.signal }).catch(() => "over");
  if ((await Promise.race([ended, timer])) === "late") await worker.terminate();
  late.abort();
}
