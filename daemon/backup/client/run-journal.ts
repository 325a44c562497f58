/**
 * What an unfinished run has stored and had listed, so that the next one goes on from there.
 *
 * `{ length, uint32 LE | SHA-256 (32) | index }…`, each synced before the next. A part that was
 * cut off by a crash ends the journal; the shards of later parts are only stored once more.
 */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { decodeIndex, encodeIndex, type ShardTable } from "../../../protocol/chunk-index.ts";

const HASH_BYTES = 32;

export class RunJournal {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** The tables that are whole; none when there is no journal. */
  read(): ShardTable[] {
    const tables: ShardTable[] = [];
    try {
      const bytes = readFileSync(this.#file);
      for (let at = 0; at + 4 + HASH_BYTES <= bytes.length;) {
        const start = at + 4 + HASH_BYTES;
        const part = bytes.subarray(start, start + bytes.readUInt32LE(at));
        if (!sha256(part).equals(bytes.subarray(at + 4, start))) break;
        tables.push(...decodeIndex(part));
        at = start + part.length;
      }
    } catch {
      // What cannot be read is stored once more.
    }
    return tables;
  }

  /** Durable when it returns. */
  append(tables: readonly ShardTable[]): void {
    const fd = openSync(this.#file, "a", 0o600);
    try {
      for (const table of tables) {
        const part = encodeIndex([table]);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(part.length);
        writeSync(fd, Buffer.concat([length, sha256(part), part]));
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** The run is finished: its index says it all. */
  clear(): void {
    rmSync(this.#file, { force: true });
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
