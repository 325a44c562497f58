/**
 * The tables of all shards of a set, kept beside the keys, so that a run knows its chunks without
 * asking for the index. Only a cache, like walk-cache.ts.
 *
 * `"PLEACHT1" | root of the snapshot (32) | SHA-256 of the rest (32) | { length, uint32 LE | index }…`
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import {
  decodeIndex,
  encodeIndex,
  type ShardTable,
} from "../../../../protocol/backup/chunk-index.ts";
import { idBytes, type ShardId } from "../../../../protocol/ids.ts";

const MAGIC = Buffer.from("PLEACHT1");
const PART_BYTES = 512 * 1024;

/** Undefined when there is no sound cache of that snapshot. */
export function readTableCache(file: string, root: ShardId): ShardTable[] | undefined {
  try {
    const bytes = readFileSync(file);
    if (!bytes.subarray(0, 40).equals(Buffer.concat([MAGIC, idBytes(root)]))) return undefined;
    const rest = bytes.subarray(72);
    if (!createHash("sha256").update(rest).digest().equals(bytes.subarray(40, 72)))
      return undefined;
    const tables: ShardTable[] = [];
    for (let at = 0; at < rest.length;) {
      const end = at + 4 + rest.readUInt32LE(at);
      tables.push(...decodeIndex(rest.subarray(at + 4, end)));
      at = end;
    }
    return tables;
  } catch {
    return undefined;
  }
}

/**
 * Writes the cache of a snapshot, unless the disk refuses.
 *
 * @returns Why there is none, such as a full disk; undefined when there is.
 */
export function writeTableCache(
  file: string,
  root: ShardId,
  tables: readonly ShardTable[],
): string | undefined {
  try {
    writeTables(file, root, tables);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    rmSync(`${file}.tmp`, { force: true });
    return error.message;
  }
}

function writeTables(file: string, root: ShardId, tables: readonly ShardTable[]): void {
  const parts: Uint8Array[] = [];
  const hash = createHash("sha256");
  const add = (part: Uint8Array): void => {
    parts.push(part);
    hash.update(part);
  };
  for (let at = 0; at < tables.length;) {
    let bytes = 0;
    let end = at;
    while (end < tables.length && bytes < PART_BYTES) bytes += tables[end++]?.table.length ?? 0;
    const index = encodeIndex(tables.slice(at, end));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(index.length);
    add(length);
    add(index);
    at = end;
  }
  const fd = openSync(`${file}.tmp`, "w", 0o600);
  try {
    for (const part of [MAGIC, idBytes(root), hash.digest(), ...parts]) writeAll(fd, part);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.tmp`, file);
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}
