/**
 * Keeps the compiled code of commands, so that a command starts in half the time.
 *
 * Types are stripped and modules are compiled at each start otherwise: 0.2 s of CPU for the
 * command and 0.15 s for each worker thread of a backup. Whoever can write there has this user run
 * code, so the folder is for this user alone and lies in the program, where nobody else writes
 * either. A daemon keeps none.
 */
import { lstatSync, mkdirSync } from "node:fs";
import { constants, enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../node_modules/.cache/pleach", import.meta.url));
const OPEN_TO_OTHERS = 0o077;

/** Also for the threads of this process. Without a folder of its own everything is as before. */
export function keepCode() {
  // A unit of systemd names a folder of its own: there, the program cannot be written.
  if (process.env["NODE_COMPILE_CACHE"] !== undefined || !isPrivate(FOLDER)) return;
  const { status } = enableCompileCache(FOLDER);
  const { ENABLED, ALREADY_ENABLED } = constants.compileCacheStatus;
  if (status !== ENABLED && status !== ALREADY_ENABLED) return;
  // Threads read it when they start.
  process.env["NODE_COMPILE_CACHE"] = FOLDER;
}

/** @param {string} folder */
function isPrivate(folder) {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    return uid === process.geteuid?.() && (mode & OPEN_TO_OTHERS) === 0;
  } catch {
    return false;
  }
}
