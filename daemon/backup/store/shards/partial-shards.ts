/**
 * Shards that are here in part: verified ranges as a file that grows, until the shard is whole.
 *
 * `partial/OWNER.SHARD` holds the ranges from the beginning on. Nothing is written that was not
 * verified, and what is found is verified again before it is gone on with, because a power cut may
 * have taken some of it. So a transfer that was cut off goes on after a restart of either side, and
 * a shard takes a range of memory while it comes, not its size.
 *
 * What nobody goes on with is deleted after a week. One owner may leave 32 MiB of it behind and all
 * together 256 MiB, beside what is lent: the oldest goes first.
 */
import { mkdir, open, readdir, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { parseId, type OwnerId, type ShardId } from "../../../../protocol/ids.ts";
import { RANGE_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { areRootsOf, isRange, rangeBytesAt } from "../../../../protocol/backup/shard-ranges.ts";
import { diskError, isNoSpace, noRoom } from "./disk-error.ts";
import { BackupError } from "../error.ts";

const MAX_OF_OWNER = 8;
const MAX_IN_ALL = 64;
const KEPT_MS = 7 * 86_400_000;

/** A shard of which size and roots are known. */
export interface ComingShard {
  readonly owner: OwnerId;
  readonly set: Parameters<typeof areRootsOf>[0]["set"];
  readonly shard: ShardId;
  readonly sizeBytes: number;
  readonly roots: Uint8Array;
}

interface Left {
  readonly owner: OwnerId;
  bytes: number;
  touchedMs: number;
  isOpen: boolean;
}

export class PartialShards {
  readonly #directory: string;
  readonly #left = new Map<ShardId, Left>();
  #strays = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws when the directory cannot be used. */
  static async open(directory: string): Promise<PartialShards> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const partials = new PartialShards(directory);
    for (const name of await readdir(directory)) {
      const [owner, shard, ...more] = name.split(".");
      const [ownerId, shardId] = [parseId<OwnerId>(owner ?? ""), parseId<ShardId>(shard ?? "")];
      const path = join(directory, name);
      if (ownerId === undefined || shardId === undefined || more.length > 0) {
        await rm(path, { force: true });
        continue;
      }
      const { size, mtimeMs } = await stat(path);
      const left = { owner: ownerId, bytes: size, touchedMs: mtimeMs, isOpen: false };
      partials.#left.set(shardId, left);
    }
    return partials;
  }

  /** How many bytes of a shard are here to go on from: whole ranges. 0 while somebody writes it. */
  bytesOf(shard: ShardId): number {
    const left = this.#left.get(shard);
    if (left === undefined || left.isOpen) return 0;
    return left.bytes - (left.bytes % RANGE_BYTES);
  }

  /**
   * Goes on with a shard at a range.
   *
   * @param roots - Of the shard; whoever sends them proves the shard's name by them.
   * @param from - 0, or what {@link bytesOf} said.
   * @param nowMs - Wall time.
   * @throws BackupError (E-BACKUP-SHARD) for roots of another shard; (E-BACKUP-PEER) for another
   * place, and when what was here is damaged: it is gone then, and the shard comes anew.
   */
  async begin(coming: ComingShard, from: number, nowMs: number): Promise<PartialShard> {
    const { owner, shard, sizeBytes, roots } = coming;
    if (!areRootsOf(coming, roots)) {
      throw new BackupError("E-BACKUP-SHARD", "The sender named ranges of another shard.");
    }
    if (from !== 0 && (from !== this.bytesOf(shard) || from >= sizeBytes)) {
      throw new BackupError("E-BACKUP-PEER", "The sender went on at another place.");
    }
    const before = this.#left.get(shard);
    // Two write it at once: the second one's work is its own and is not kept if it is cut off.
    if (before?.isOpen === true) {
      const path = join(this.#directory, `${owner}.${shard}.${this.#strays++}`);
      return PartialShard.open(path, coming, 0, () => rm(path, { force: true }));
    }
    await this.#makeRoom(owner, shard);
    const left = { owner, bytes: from, touchedMs: nowMs, isOpen: true };
    this.#left.set(shard, left);
    const path = this.#pathOf(owner, shard);
    const onClosed = async (bytes: number): Promise<void> => {
      left.bytes = bytes;
      left.isOpen = false;
      if (bytes > 0) return;
      this.#left.delete(shard);
      await rm(path, { force: true });
    };
    try {
      return await PartialShard.open(path, coming, from, onClosed);
    } catch (error) {
      await onClosed(0);
      throw error;
    }
  }

  /** Deletes what nobody has gone on with for a week. */
  async sweep(nowMs: number): Promise<void> {
    for (const [shard, { touchedMs, isOpen }] of this.#left) {
      if (!isOpen && Math.abs(nowMs - touchedMs) > KEPT_MS) await this.drop(shard);
    }
  }

  /** Deletes what is here of a shard, unless somebody writes it. */
  async drop(shard: ShardId): Promise<void> {
    const left = this.#left.get(shard);
    if (left === undefined || left.isOpen) return;
    this.#left.delete(shard);
    await rm(this.#pathOf(left.owner, shard), { force: true });
  }

  async #makeRoom(owner: OwnerId, shard: ShardId): Promise<void> {
    const idle = [...this.#left]
      .filter(([name, { isOpen }]) => !isOpen && name !== shard)
      .toSorted(([, a], [, b]) => a.touchedMs - b.touchedMs);
    const ofOwner = idle.filter(([, left]) => left.owner === owner);
    const [oldest] = ofOwner.length >= MAX_OF_OWNER ? ofOwner : idle;
    if (oldest === undefined) return;
    if (ofOwner.length >= MAX_OF_OWNER || idle.length >= MAX_IN_ALL) await this.drop(oldest[0]);
  }

  #pathOf(owner: OwnerId, shard: ShardId): string {
    return join(this.#directory, `${owner}.${shard}`);
  }
}

/** One shard while it comes, range after range. Must be ended by `finish` or `leave`. */
export class PartialShard {
  readonly path: string;
  readonly coming: ComingShard;
  readonly #handle: FileHandle;
  readonly #onClosed: (bytes: number) => Promise<void>;
  #bytes: number;
  #closed = false;

  private constructor(
    path: string,
    coming: ComingShard,
    handle: FileHandle,
    bytes: number,
    onClosed: (bytes: number) => Promise<void>,
  ) {
    this.path = path;
    this.coming = coming;
    this.#handle = handle;
    this.#bytes = bytes;
    this.#onClosed = onClosed;
  }

  /** @param onClosed - Told how many bytes stay; 0 when none are of use any more. */
  static async open(
    path: string,
    coming: ComingShard,
    from: number,
    onClosed: (bytes: number) => Promise<void>,
  ): Promise<PartialShard> {
    const handle = await onDisk(() => open(path, from === 0 ? "w+" : "r+", 0o600));
    const partial = new PartialShard(path, coming, handle, from, onClosed);
    try {
      await partial.#check(from);
      return partial;
    } catch (error) {
      partial.#closed = true;
      await handle.close();
      throw error;
    }
  }

  /** Verified bytes, from the beginning on. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How long the next range is; 0 when the shard is whole. */
  get nextBytes(): number {
    return rangeBytesAt(this.coming.sizeBytes, this.#bytes);
  }

  /**
   * Writes the next range.
   *
   * @throws BackupError (E-BACKUP-SHARD) when it is another one's bytes: nothing is written then.
   */
  async add(range: Uint8Array): Promise<void> {
    const { sizeBytes, roots } = this.coming;
    if (!isRange(sizeBytes, roots, this.#bytes, range)) {
      throw new BackupError("E-BACKUP-SHARD", "The sender sent a range that is not the shard's.");
    }
    await onDisk(() => writeWhole(this.#handle, range, this.#bytes));
    this.#bytes += range.length;
  }

  /** The whole shard, as it lies on the disk. */
  async read(): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.coming.sizeBytes);
    await onDisk(() => this.#handle.read(bytes, 0, bytes.length, 0));
    return bytes;
  }

  /** Makes the file durable and hands it to whoever moves it to its name, or deletes it. */
  async finish<Value>(move: (path: string) => Promise<Value>): Promise<Value> {
    if (this.nextBytes > 0) throw new RangeError("a shard that is not whole");
    try {
      await onDisk(async () => {
        // What an attempt with other sizes left behind its end is none of the shard.
        await this.#handle.truncate(this.coming.sizeBytes);
        await this.#handle.sync();
      });
      return await move(this.path);
    } finally {
      await this.#close(0);
    }
  }

  /** Leaves it as it is, for another attempt. Does nothing after `finish`. */
  leave(): Promise<void> {
    return this.#close(this.#bytes);
  }

  async #close(bytes: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close();
    await this.#onClosed(bytes);
  }

  async #check(bytes: number): Promise<void> {
    const { sizeBytes, roots, shard } = this.coming;
    const range = new Uint8Array(RANGE_BYTES);
    for (let at = 0; at < bytes; at += RANGE_BYTES) {
      await onDisk(() => this.#handle.read(range, 0, RANGE_BYTES, at));
      if (isRange(sizeBytes, roots, at, range)) continue;
      throw new BackupError("E-BACKUP-PEER", `The shard ${shard} has to come anew: damaged here.`);
    }
  }
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

async function onDisk<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (cause) {
    throw isNoSpace(cause) ? noRoom(cause) : diskError("A shard cannot be written", cause);
  }
}
