/**
 * Shards that the next run leaves out of its index, so that what is used of them is stored anew:
 * `tired` beside the other caches of a set, one name a line. Without the file none is left out.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseId, type ShardId } from "../../../protocol/ids.ts";

/** @param folder - Of the caches of the set. */
export function readTired(folder: string): ReadonlySet<ShardId> {
  try {
    const names = readFileSync(join(folder, "tired"), "utf8").split("\n");
    return new Set(names.flatMap((name) => parseId<ShardId>(name) ?? []));
  } catch {
    return new Set();
  }
}

export function writeTired(folder: string, shards: Iterable<ShardId>): void {
  const file = join(folder, "tired");
  writeFileSync(`${file}.tmp`, [...shards].join("\n"), { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}
