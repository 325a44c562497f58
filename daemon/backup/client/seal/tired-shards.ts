/**
 * Shards that the next run leaves out of its index, so that what is used of them is stored anew:
 * `tired` beside the other caches of a set, one name a line, are those that are little used, and
 * `damaged` those of which a verification found no good copy. Without the files none is left out.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackupError } from "../error.ts";
import { parseId, type ShardId } from "../../../../protocol/ids.ts";

/** @param folder - Of the caches of the set. */
export function readTired(folder: string): ReadonlySet<ShardId> {
  return new Set([...read(folder, "tired"), ...read(folder, "damaged")]);
}

/** @throws BackupError E-BACKUP-SPACE when the disk of the caches is full; the old ones stay. */
export function writeTired(folder: string, shards: Iterable<ShardId>): void {
  write(folder, "tired", shards);
}

/**
 * In the place of what an earlier verification found.
 *
 * @throws BackupError as {@link writeTired}.
 */
export function writeDamaged(folder: string, shards: Iterable<ShardId>): void {
  write(folder, "damaged", shards);
}

function read(folder: string, name: string): readonly ShardId[] {
  try {
    const names = readFileSync(join(folder, name), "utf8").split("\n");
    return names.flatMap((each) => parseId<ShardId>(each) ?? []);
  } catch {
    return [];
  }
}

function write(folder: string, name: string, shards: Iterable<ShardId>): void {
  const file = join(folder, name);
  try {
    writeFileSync(`${file}.tmp`, [...shards].join("\n"), { mode: 0o600, flush: true });
    renameSync(`${file}.tmp`, file);
  } catch (cause) {
    rmSync(`${file}.tmp`, { force: true });
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code !== "ENOSPC" && code !== "EDQUOT") throw cause;
    throw new BackupError("E-BACKUP-SPACE", `The disk of ${folder} is full.`, {
      hint: "Make room there, and run the command again.",
      cause,
    });
  }
}
