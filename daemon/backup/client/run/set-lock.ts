/** One at a time: runs of a data set, forgetting, and changes of its keys. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { SetId } from "../../../../protocol/ids.ts";
import { BackupError } from "../error.ts";
import { lockFile } from "../system-calls.ts";

/**
 * Acts while no other process does so for the same set.
 *
 * @param cacheFolder - Of root's, for caches of all sets.
 * @param act - Gets the folder for the caches of this set.
 * @returns What it returned, or "busy" when another process is at work: then nothing was done.
 * @throws BackupError E-BACKUP-SPACE when there is no room even for the folder.
 */
export async function withSetLock<T>(
  cacheFolder: string,
  set: SetId,
  act: (folder: string) => Promise<T>,
): Promise<T | "busy"> {
  const folder = join(cacheFolder, set);
  const lock = openLock(folder);
  try {
    return lockFile(lock) ? await act(folder) : "busy";
  } finally {
    closeSync(lock);
  }
}

function openLock(folder: string): number {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return openSync(join(folder, "lock"), "w", 0o600);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code !== "ENOSPC" && code !== "EDQUOT") throw cause;
    throw new BackupError("E-BACKUP-SPACE", `The disk of ${folder} is full.`, {
      hint: "Make room there, and run the command again.",
      cause,
    });
  }
}
