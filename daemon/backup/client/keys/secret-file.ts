/**
 * Small files with secrets: for their owner alone, whole under their name or not there, and
 * overwritten before they go.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { BackupError } from "../error.ts";

/** Access of group or others. */
const OTHERS = 0o077;
const MAX_FILE_BYTES = 1024 * 1024;
const ZEROS = new Uint8Array(64 * 1024);

/** @throws BackupError E-BACKUP-KEYS when it is missing, too long, or others can read it. */
export function readSecret(file: string, hintIfMissing: string): string {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (isMissing(cause)) {
      throw new BackupError("E-BACKUP-KEYS", `There is no ${file}.`, {
        hint: hintIfMissing,
        cause,
      });
    }
    throw cannotRead(file, cause);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new BackupError("E-BACKUP-KEYS", `${file} is no file.`);
    if ((stat.mode & OTHERS) !== 0) {
      throw new BackupError("E-BACKUP-KEYS", `Others can read ${file}.`, {
        hint: `Take their access away:  chmod 0600 ${file}`,
      });
    }
    if (stat.size > MAX_FILE_BYTES) {
      throw new BackupError("E-BACKUP-KEYS", `${file} is too long for a key file.`);
    }
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

/**
 * Makes a file; its name is durable when this returns. One that is there stays.
 *
 * @throws BackupError E-BACKUP-EXISTS when there is one, E-BACKUP-KEYS when it cannot be made.
 */
export function writeSecret(file: string, text: string): void {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    const fd = openSync(unfinished, "wx", 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(unfinished, file);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") {
      throw new BackupError("E-BACKUP-EXISTS", `There is a file already: ${file}.`, { cause });
    }
    throw new BackupError("E-BACKUP-KEYS", `${file} cannot be made (${String(cause)}).`, { cause });
  } finally {
    rmSync(unfinished, { force: true });
  }
  syncFolder(dirname(file));
}

/**
 * Overwrites a file with zeros, then takes its name away; durable when this returns. None: done.
 *
 * What a disk keeps of overwritten blocks is beyond reach: a solid-state disk writes them elsewhere,
 * and so do file systems that copy on write.
 */
export function eraseFile(file: string): void {
  let fd: number;
  try {
    fd = openSync(file, constants.O_WRONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isMissing(error)) return;
    throw new BackupError("E-BACKUP-KEYS", `${file} cannot be erased (${String(error)}).`, {
      cause: error,
    });
  }
  try {
    const { size } = fstatSync(fd);
    for (let at = 0; at < size;) {
      at += writeSync(fd, ZEROS, 0, Math.min(ZEROS.length, size - at), at);
    }
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
  unlinkSync(file);
  syncFolder(dirname(file));
}

/** Makes the names in a folder durable. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

export function cannotRead(file: string, cause: unknown): BackupError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BackupError("E-BACKUP-KEYS", `${file} cannot be read (${reason}).`, {
    hint: "Backups run as root: the keys are for root alone.",
    cause,
  });
}
