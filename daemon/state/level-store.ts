/**
 * The store on disk: LevelDB, with a ballast file beside it.
 *
 * LevelDB can be neither opened nor written on a full disk. The ballast is space that is set aside
 * and given back then, so that the daemon opens, says what is wrong, and stops cleanly. After a
 * failed write nothing more is written: whether it took effect is not known until the next start.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Level } from "level";
import type { KeyRange, Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { StateError } from "./state-error.ts";

/** LevelDB's log (4 MiB), a table that is compacted (2 MiB) and its manifest, several times. */
export const BALLAST_BYTES = 16 * 1024 * 1024;
const BALLAST_NAME = "ballast";
const BLOCK_BYTES = 1024 * 1024;
/** Laying the ballast must leave what the store itself needs to write: marks, and its own log. */
const LEFT_BYTES = 8 * 1024 * 1024;

export interface LevelStoreOptions {
  /** Made if it is missing, 0700. Holds `db/` and the ballast. */
  readonly directory: string;
  readonly log: Logger;
  /** Default: {@link BALLAST_BYTES}. */
  readonly ballastBytes?: number;
}

/**
 * Opens the store, giving up the ballast when there is no space otherwise.
 *
 * @throws StateError E-STATE-STORE: another process has it open, or it is damaged.
 */
export async function openLevelStore(options: LevelStoreOptions): Promise<Store> {
  const { directory, log, ballastBytes = BALLAST_BYTES } = options;
  const ballast = new Ballast(join(directory, BALLAST_NAME), ballastBytes, log);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  let database;
  try {
    database = await openDatabase(directory);
  } catch (error) {
    if (isLocked(error) || !(await ballast.drop())) throw storeError(directory, error);
    log.warn("no space: the ballast is given up to open the store");
    database = await openDatabase(directory).catch((again: unknown) => {
      throw storeError(directory, again);
    });
    return new LevelStore(database, ballast);
  }
  await ballast.lay();
  return new LevelStore(database, ballast);
}

type Database = Level<string, Uint8Array>;

async function openDatabase(directory: string): Promise<Database> {
  const database: Database = new Level(join(directory, "db"), {
    keyEncoding: "utf8",
    valueEncoding: "view",
  });
  await database.open();
  return database;
}

class LevelStore implements Store {
  readonly #database: Database;
  readonly #ballast: Ballast;
  #failure: Error | undefined;

  constructor(database: Database, ballast: Ballast) {
    this.#database = database;
    this.#ballast = ballast;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const value = await this.#database.get(key);
    return value === undefined ? undefined : plain(value);
  }

  async *entries({ from, to, limit, reverse }: KeyRange) {
    const range = { gte: from, lt: to, limit: limit ?? -1, reverse: reverse ?? false };
    for await (const [key, value] of this.#database.iterator(range)) {
      yield [key, plain(value)] as const;
    }
  }

  async write(changes: readonly StoreChange[], durability: "durable" | "cached"): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await this.#database.batch(
        changes.map((change) =>
          change.kind === "put"
            ? { type: "put", key: change.key, value: change.value }
            : { type: "del", key: change.key },
        ),
        { sync: durability === "durable" },
      );
    } catch (error) {
      // EIO from fdatasync: the write may still show up later, so trying again proves nothing.
      this.#failure = error instanceof Error ? error : new Error(String(error));
      await this.#ballast.drop();
      throw this.#failure;
    }
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

/** The same bytes without what a Buffer adds: nobody may rely on it. */
function plain(value: Uint8Array): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Space that is set aside. */
class Ballast {
  readonly #path: string;
  readonly #sizeBytes: number;
  readonly #log: Logger;

  constructor(path: string, sizeBytes: number, log: Logger) {
    this.#path = path;
    this.#sizeBytes = sizeBytes;
    this.#log = log;
  }

  /** Sets the space aside, if there is enough and it is not set aside already. */
  async lay(): Promise<void> {
    const before = await stat(this.#path).catch(() => undefined);
    if (before?.size === this.#sizeBytes) return;
    const unfinished = `${this.#path}.tmp`;
    try {
      const { bavail, bsize } = await statfs(dirname(this.#path));
      if (bavail * bsize < this.#sizeBytes + LEFT_BYTES) {
        this.#log.warn("no space for the ballast", { freeBytes: bavail * bsize });
        return;
      }
      const file = await open(unfinished, "w", 0o600);
      try {
        // A hole, or zeros on a disk that compresses, would set nothing aside.
        const block = randomBytes(BLOCK_BYTES);
        for (let at = 0; at < this.#sizeBytes; at += BLOCK_BYTES) {
          await file.write(block, 0, Math.min(BLOCK_BYTES, this.#sizeBytes - at), at);
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(unfinished, this.#path);
    } catch (error) {
      await rm(unfinished, { force: true });
      this.#log.warn("no space for the ballast", { error: String(error) });
    }
  }

  /** Gives the space back. False when there was none. */
  async drop(): Promise<boolean> {
    try {
      await rm(this.#path);
      return true;
    } catch {
      return false;
    }
  }
}

function isLocked(error: unknown): boolean {
  return causeCodes(error).includes("LEVEL_LOCKED");
}

function causeCodes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const code = "code" in error ? [String(error.code)] : [];
  return [...code, ...causeCodes(error.cause)];
}

function storeError(directory: string, cause: unknown): StateError {
  if (isLocked(cause)) {
    return new StateError("E-STATE-STORE", `Another process has ${directory} open.`, { cause });
  }
  const reason = causeCodes(cause).at(-1) ?? String(cause);
  return new StateError("E-STATE-STORE", `${directory} cannot be opened: ${reason}.`, {
    cause,
    hint: "Look for free space and for errors of the disk.",
  });
}
