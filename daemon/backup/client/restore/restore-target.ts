/** Where a restore may write: an empty directory with room for it. */
import { closeSync, constants, mkdirSync, openSync, readdirSync, statfsSync } from "node:fs";
import type { SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import { BackupError } from "../error.ts";
import { STAGING_NAME } from "./restore-staging.ts";
import { readXattrs, removeXattr } from "../system-calls.ts";

/** A directory hands it down to all that is made in it: see acl(5). */
const DEFAULT_ACL = Buffer.from("system.posix_acl_default");

/**
 * Opens the target, made if it is not there.
 *
 * @throws BackupError unless it is empty or a restore was begun in it, and it hands nothing down to what is restored in it.
 */
export function openTarget(target: string): number {
  try {
    const isNew = mkdirSync(target, { recursive: true, mode: 0o700 }) !== undefined;
    const fd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
    const path = Buffer.from(`/proc/self/fd/${fd}/.`);
    const handsDown = readXattrs(path).some(([name]) => DEFAULT_ACL.equals(name));
    if (handsDown && isNew) removeXattr(path, DEFAULT_ACL);
    const names = readdirSync(target);
    // With the beginning of a restore in it, which may be this one.
    const isEmpty = names.length === 0 || names.includes(STAGING_NAME);
    if (isEmpty && (isNew || !handsDown)) return fd;
    closeSync(fd);
    if (isEmpty) throw handingDown(target);
  } catch (cause) {
    if (cause instanceof BackupError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError("E-RESTORE-TARGET", `${target} cannot be used (${reason}).`, { cause });
  }
  throw new BackupError("E-RESTORE-TARGET", `${target} is not empty.`, {
    hint: "Name a directory that is empty or does not exist yet.",
  });
}

function handingDown(target: string): BackupError {
  const message = `${target} has a default ACL, which would open what is restored to others.`;
  return new BackupError("E-RESTORE-TARGET", message, {
    hint: `Name a directory that does not exist yet, or:  setfacl -k ${target}`,
  });
}

/** What is left on the file system of a directory for whoever asks, in bytes. */
export function freeBytesAt(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** @throws BackupError E-RESTORE-SPACE when the snapshot does not fit. */
export function checkRoom(target: string, record: SnapshotRecord): void {
  const freeBytes = freeBytesAt(target);
  if (freeBytes >= record.roomBytes) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  throw new BackupError(
    "E-RESTORE-SPACE",
    `The snapshot takes ${mib(record.roomBytes)}, and ${target} has ${mib(freeBytes)} left.`,
    { hint: "Make room, or restore to another file system." },
  );
}
