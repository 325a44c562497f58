/** What the disk says, in the words of the shard store. */
import { BackupError } from "../error.ts";

export function isAbsent(cause: unknown): boolean {
  return errorCode(cause) === "ENOENT";
}

export function isNoSpace(cause: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(errorCode(cause) ?? "");
}

function errorCode(cause: unknown): string | undefined {
  return cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
}

export function noRoom(cause?: unknown): BackupError {
  return new BackupError("E-BACKUP-SPACE", "The disk of the shard store is full.", {
    hint: "Free some space, or move the data directory to a larger disk.",
    cause,
  });
}

export function diskError(what: string, cause: unknown): BackupError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BackupError("E-BACKUP-DISK", `${what} (${why}).`, { cause });
}
