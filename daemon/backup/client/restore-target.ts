/** Where a restore may write: an empty directory with room for it. */
import { closeSync, constants, mkdirSync, openSync, readdirSync, statfsSync } from "node:fs";
import type { SnapshotRecord } from "../../../protocol/snapshot.ts";
import { BackupError } from "./error.ts";

/** Opens the target, made if it is not there. @throws BackupError unless it is empty. */
export function openTarget(target: string): number {
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const fd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
    if (readdirSync(target).length === 0) return fd;
    closeSync(fd);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError("E-RESTORE-TARGET", `${target} cannot be used (${reason}).`, { cause });
  }
  throw new BackupError("E-RESTORE-TARGET", `${target} is not empty.`, {
    hint: "Name a directory that is empty or does not exist yet.",
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
