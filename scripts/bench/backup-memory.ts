/** Whether the memory of a backup stays as it is while the data grow from 1 to 20 GB. */
import { createCipheriv } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { measure } from "./backup-measure.ts";
import { pleach } from "./backup-pleach.ts";

const MIB = 1024 * 1024;
/** Data in all, in GB, at each look. */
const STEPS_GB = [1, 5, 20];
const LARGE_FILES_PER_GB = 110;
const LARGE_MIB = 8;
const SMALL_FILES_PER_GB = 10_000;
const SMALL_BYTES = 8192;

export interface MemoryStep {
  readonly gigabytes: number;
  readonly peakMiB: number;
  readonly seconds: number;
}

/** Each step adds to the same data set, so that what is known grows, too. */
export async function measureMemory(
  scratch: string,
  onStep: (step: MemoryStep) => void,
): Promise<readonly MemoryStep[]> {
  const data = join(scratch, "growing");
  const folder = join(scratch, "store");
  await mkdir(data);
  await mkdir(folder);
  const store = await pleach.open(folder, data);
  const steps: MemoryStep[] = [];
  try {
    let made = 0;
    for (const gigabytes of STEPS_GB) {
      for (; made < gigabytes; made++) await makeGigabyte(join(data, `${made}`), made);
      const { seconds, peakBytes } = await measure(store.backup(), folder);
      const step = { gigabytes, peakMiB: Math.ceil(peakBytes / MIB), seconds };
      steps.push(step);
      onStep(step);
    }
  } finally {
    await store.close();
  }
  return steps;
}

/** Numbers of four bits, never the same, so that the store takes half of it. */
async function makeGigabyte(folder: string, seed: number): Promise<void> {
  await mkdir(folder);
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
  const bytesOf = (length: number): Uint8Array => {
    return noise.update(Buffer.alloc(length)).map((byte) => byte & 15);
  };
  for (let file = 0; file < LARGE_FILES_PER_GB; file++) {
    await writeFile(join(folder, `large-${file}`), bytesOf(LARGE_MIB * MIB));
  }
  for (let file = 0; file < SMALL_FILES_PER_GB; file++) {
    await writeFile(join(folder, `small-${file}`), bytesOf(SMALL_BYTES));
  }
}
