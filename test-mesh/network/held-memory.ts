/** How much memory this process really holds: what is left after a full collection. */
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/**
 * Bytes of objects and buffers. Collecting takes some milliseconds, so ask seldom.
 *
 * Buffers that a collection finds dead are given back by another thread a moment later, so the
 * count is taken after a second collection, which waits for the first one's sweep.
 */
export async function heldBytes(): Promise<number> {
  collect();
  await setImmediate();
  collect();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}
