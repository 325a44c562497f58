/**
 * Who could change a program that a backup runs, or a file that names it.
 *
 * A backup reads everything, so whoever chooses its programs can do the same. Only root, and the
 * user that runs the command, may be able to change the file, or to put another one at its place:
 * that takes a right to write to it, or to a directory or a link that leads to it.
 */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { BackupError } from "../error.ts";

const OTHERS_MAY_WRITE = 0o022;
/** In such a directory only the owner of a file can rename it. */
const STICKY = 0o1000;
/** As many as Linux follows: path_resolution(7). */
const MAX_LINKS = 40;

/**
 * @param path - Absolute; links are followed as the system does.
 * @param what - In words.
 * @throws BackupError E-BACKUP-UNSAFE when others can change it, E-BACKUP-HOOK when it is not there.
 */
export function checkTrusted(path: string, what: "program" | "configuration"): void {
  let steps = stepsOf(path);
  let links = 0;
  let at = "/";
  check(path, what, at, lstatSync(at));
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    if (step === "..") {
      at = dirname(at);
      continue;
    }
    const next = join(at, step);
    const stat = lookAt(path, what, next);
    check(path, what, next, stat);
    if (!stat.isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw notThere(path, what, new Error("too many links"));
    const target = readlinkSync(next);
    if (isAbsolute(target)) at = "/";
    steps = [...stepsOf(target), ...steps];
  }
}

function stepsOf(path: string): string[] {
  return path.split("/").filter((step) => step !== "" && step !== ".");
}

function lookAt(path: string, what: string, at: string): Stats {
  try {
    return lstatSync(at);
  } catch (cause) {
    throw notThere(path, what, cause);
  }
}

function check(path: string, what: string, at: string, stat: Stats): void {
  const { uid, mode } = stat;
  if (uid !== 0 && uid !== process.geteuid?.()) {
    throw unsafe(path, what, `${at} belongs to the user ${uid}`);
  }
  // The mode of a link says nothing.
  if (stat.isSymbolicLink() || (mode & OTHERS_MAY_WRITE) === 0) return;
  if (stat.isDirectory() && (mode & STICKY) !== 0) return;
  throw unsafe(path, what, `${at} can be written by others`);
}

function unsafe(path: string, what: string, why: string): BackupError {
  return new BackupError("E-BACKUP-UNSAFE", `The ${what} ${path} is not safe to go by: ${why}.`, {
    hint: "Let root alone change it, and each directory that leads to it.",
  });
}

function notThere(path: string, what: string, cause: unknown): BackupError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BackupError("E-BACKUP-HOOK", `The ${what} ${path} cannot be found: ${why}.`, {
    hint: "Correct the configuration of the data set.",
    cause,
  });
}
