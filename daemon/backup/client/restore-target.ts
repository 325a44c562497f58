/** Where a restore may write: an empty directory with room for it. */
import { closeSync, constants, mkdirSync, openSync, readdirSync, statfsSync } from "node:fs";
import type { SnapshotRecord } from "../../../protocol/snapshot.ts";
import { BackupError } from "./error.ts";
import { readXattrs, removeXattr } from "./system-calls.ts";

/** A directory hands it down to all that is made in it: see acl(5). */
const DEFAULT_ACL = Buffer.from("system.posix_acl_default");

/**
 * Opens the target, made if it is not there.
 *
 * @throws BackupError unless it is empty, and hands nothing down to what is restored in it.
 */
export function openTarget(target: string): number {
  try {
    const isNew = mkdirSync(target, { recursive: true, mode: 0o700 }) !== undefined;
    const fd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
    const path = Buffer.from(`/proc/self/fd/${fd}/.`);
    const handsDown = readXattrs(path).some(([name]) => DEFAULT_ACL.equals(name));
    if (handsDown && isNew) removeXattr(path, DEFAULT_ACL);
    const isEmpty = readdirSync(target).length === 0;
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

/** @throws BackupError E-RESTORE-SPACE when the snapshot does not fit. */
export function checkRoom(target: string, record: SnapshotRecord): void {
  const { bavail, bsize } = statfsSync(target);
  const freeBytes = bavail * bsize;
  if (freeBytes >= record.roomBytes) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  throw new BackupError(
    "E-RESTORE-SPACE",
    `The snapshot takes ${mib(record.roomBytes)}, and ${target} has ${mib(freeBytes)} left.`,
    { hint: "Make room, or restore to another file system." },
  );
}
