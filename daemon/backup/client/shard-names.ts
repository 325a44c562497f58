/** A file of shards' names beside the caches of a set, one name a line; written whole or not at all. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackupError } from "./error.ts";
import { parseId, type ShardId } from "../../../protocol/ids.ts";

/** @returns none without the file. @param folder - Of the caches of the set. */
export function readShardNames(folder: string, file: string): readonly ShardId[] {
  try {
    const names = readFileSync(join(folder, file), "utf8").split("\n");
    return names.flatMap((each) => parseId<ShardId>(each) ?? []);
  } catch {
    return [];
  }
}

/** @throws BackupError E-BACKUP-SPACE when the disk of the caches is full; the old file stays. */
export function writeShardNames(folder: string, name: string, shards: Iterable<ShardId>): void {
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
