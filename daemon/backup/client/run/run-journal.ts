/**
 * What an unfinished run has stored and is about to have listed, so that the next one goes on from
 * there, and no listed shard is unknown to every index.
 *
 * `{ length, uint32 LE | SHA-256 (32) | index }…`, each synced before its shards are listed. What a
 * crash has cut off at the end is overwritten by the next part.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import {
  decodeIndex,
  encodeIndex,
  type ShardTable,
} from "../../../../protocol/backup/chunk-index.ts";
import { syncFolder } from "../keys/secret-file.ts";

const HASH_BYTES = 32;
const APPEND_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;

export class RunJournal {
  readonly #file: string;
  /** Where the last whole part ends, in bytes; undefined until it was looked for. */
  #endBytes: number | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** The tables that are whole; none when there is no journal. */
  read(): ShardTable[] {
    return this.#readWhole().tables;
  }

  /** Durable when it returns, its name as well. @throws when the disk is full: nothing was added. */
  append(tables: readonly ShardTable[]): void {
    const endBytes = (this.#endBytes ??= this.#readWhole().endBytes);
    const fd = openSync(this.#file, APPEND_FLAGS, 0o600);
    try {
      ftruncateSync(fd, endBytes);
      let at = endBytes;
      for (const table of tables) {
        const part = encodeIndex([table]);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(part.length);
        at = writeAll(fd, Buffer.concat([length, sha256(part), part]), at);
      }
      fsyncSync(fd);
      this.#endBytes = at;
    } finally {
      closeSync(fd);
    }
    if (endBytes === 0) syncFolder(dirname(this.#file));
  }

  /** The run is finished: its index says it all. */
  clear(): void {
    rmSync(this.#file, { force: true });
    this.#endBytes = 0;
  }

  /** The whole parts, and where the last of them ends. */
  #readWhole(): { readonly tables: ShardTable[]; readonly endBytes: number } {
    const tables: ShardTable[] = [];
    let endBytes = 0;
    try {
      const bytes = readFileSync(this.#file);
      while (endBytes + 4 + HASH_BYTES <= bytes.length) {
        const start = endBytes + 4 + HASH_BYTES;
        const part = bytes.subarray(start, start + bytes.readUInt32LE(endBytes));
        if (!sha256(part).equals(bytes.subarray(endBytes + 4, start))) break;
        tables.push(...decodeIndex(part));
        endBytes = start + part.length;
      }
    } catch {
      // What cannot be read is stored once more.
    }
    return { tables, endBytes };
  }
}

/** @returns Where it ends. */
function writeAll(fd: number, bytes: Uint8Array, from: number): number {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, from + done);
  return from + done;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
