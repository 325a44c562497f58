/**
 * What a site tells about its machine, and the file in which `pleach facts` leaves it.
 *
 * Slow facts only: what changes by the minute would grow the log of the site for nothing. No
 * serial numbers, no addresses of hardware, no names of users.
 */
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { z } from "zod";
import { InventoryError } from "./error.ts";

const text = z.string().max(128);
const bytes = z.int().min(0);

export const factsShape = z.object({
  collectedAtMs: z.int().min(0),
  hostname: text,
  /** For example `Debian GNU/Linux 12`. */
  system: text,
  kernel: text,
  arch: text,
  processor: text,
  cores: z.int().min(0),
  memoryBytes: bytes,
  /** Maker and model of the machine, or of the virtual machine. */
  machine: text,
  virtual: z.boolean(),
  disks: z.array(z.object({ mount: text, kind: text, totalBytes: bytes })).max(16),
});
export type Facts = z.infer<typeof factsShape>;

const MAX_FILE_BYTES = 64 * 1024;

/** The facts of the file, or undefined when it is not there or not sound. */
export async function readFactsFile(path: string): Promise<Facts | undefined> {
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) return undefined;
    return factsShape.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** @throws InventoryError when the directory is not there or not ours. */
export async function writeFactsFile(path: string, facts: Facts): Promise<void> {
  const unfinished = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(unfinished, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(facts)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (cause) {
    await rm(unfinished, { force: true });
    const message = `The facts cannot be written to ${path} (${(cause as Error).message}).`;
    const hint = "Run it as the user of the daemon.";
    throw new InventoryError("E-FACTS-FILE", message, { hint, cause });
  }
}
