/**
 * Keeps a backup small beside everything else on an old machine.
 *
 * Measured on 46,000 files with 554 MB, two threads: peak 364 MiB without this, 235 MiB with it,
 * in the same time. V8 lets the young generation grow to 48 MiB and collects the old one late;
 * glibc keeps buffers of up to 32 MiB in its heaps once it has seen them freed, in a heap for each
 * thread.
 */
import { setFlagsFromString } from "node:v8";
import { limitHeaps } from "../system-calls.ts";

/** Call it once, before worker threads are started. */
export function saveMemory(): void {
  setFlagsFromString("--optimize-for-size");
  // In MiB; objects of a walk die young or live for the whole directory.
  setFlagsFromString("--max-semi-space-size=2");
  setFlagsFromString("--semi-space-growth-factor=1");
  limitHeaps();
}
