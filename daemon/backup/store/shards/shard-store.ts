/**
 * Shards as files: whole, verified and durable under their final name, or not there.
 *
 * `shards/OWNER/SET/xx/SHARD`, written as `incoming/RANDOM.tmp`, verified, fsynced, renamed, the
 * directory fsynced. What a crash leaves in `incoming` is removed at the next start. What comes over
 * a line grows in `partial` instead, and stays there when it is cut off. The files are the only
 * truth about what is held; no index can contradict them.
 */
import { randomBytes } from "node:crypto";
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  type FileHandle,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  parseId,
  type OwnerId,
  type SetId,
  type ShardId,
  type StoreId,
} from "../../../../protocol/ids.ts";
import { isShardSize, shardIdOf, SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { DirectorySync } from "./directory-sync.ts";
import { diskError, isAbsent, isNoSpace, noRoom } from "./disk-error.ts";
import { PartialShards, type PartialShard } from "./partial-shards.ts";
import { openStoreId, writeStoreId } from "./store-id.ts";
import { BackupError } from "../error.ts";

/** Never filled with shards: the state of the daemon must be able to grow on. */
const RESERVED_BYTES = 64 * 1024 * 1024;

/** A shard in its data set. The identifier covers all three, so one file never serves two sets. */
export interface ShardName {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly shard: ShardId;
}

export class ShardStore {
  /** What has come of shards that are not whole. */
  readonly partials: PartialShards;
  #storeId: StoreId;
  readonly #directory: string;
  readonly #sync = new DirectorySync();
  readonly #madeDirectories = new Map<string, Promise<void>>();
  readonly #settled = new Map<string, Promise<void>>();
  readonly #underWay = new Map<string, Promise<"stored" | "there">>();

  private constructor(directory: string, storeId: StoreId, partials: PartialShards) {
    this.partials = partials;
    this.#directory = directory;
    this.#storeId = storeId;
  }

  /** New with the directory, so that an emptied store is seen by everybody. */
  get storeId(): StoreId {
    return this.#storeId;
  }

  /** Gives the store another identity: it lacks what was signed for under the old one. Durable. */
  async renewId(): Promise<void> {
    this.#storeId = await writeStoreId(this.#directory);
  }

  /**
   * Opens or makes the store and removes what a crash left half done.
   *
   * @throws BackupError when the directory cannot be used.
   */
  static async open(directory: string): Promise<ShardStore> {
    try {
      await mkdir(join(directory, "shards"), { recursive: true, mode: 0o700 });
      await rm(join(directory, "incoming"), { recursive: true, force: true });
      await mkdir(join(directory, "incoming"), { mode: 0o700 });
      const partials = await PartialShards.open(join(directory, "partial"));
      const storeId = await openStoreId(directory);
      await new DirectorySync().sync(dirname(directory));
      return new ShardStore(directory, storeId, partials);
    } catch (cause) {
      if (cause instanceof BackupError) throw cause;
      throw diskError(`The shard store ${directory} cannot be opened`, cause);
    }
  }

  /**
   * Keeps a shard. Resolves only when it would survive a power cut.
   *
   * @param onWritten - Called when the bytes are needed no longer, which is long before the disk has
   *   them; never when they are needed to the end.
   * @throws BackupError when the bytes are not that shard, or there is no room.
   */
  async put(
    name: ShardName,
    bytes: Uint8Array,
    onWritten?: () => void,
  ): Promise<"stored" | "there"> {
    if (!isShardSize(bytes.length) || shardIdOf(name.owner, name.set, bytes) !== name.shard) {
      throw new BackupError(
        "E-BACKUP-SHARD",
        `The ${bytes.length} bytes are not the shard ${name.shard}.`,
        { exit: 2 },
      );
    }
    // Two writers of one shard would race for its name; the second waits for the first.
    const before = this.#underWay.get(name.shard);
    if (before !== undefined) {
      await before;
      return "there";
    }
    return this.#alone(name.shard, this.#putVerified(name, bytes, onWritten));
  }

  /**
   * Keeps a shard whose verified ranges have all come. Resolves only when it would survive a power
   * cut.
   *
   * @throws BackupError when it cannot be moved to its name.
   */
  adopt(whole: PartialShard): Promise<"stored" | "there"> {
    return whole.finish(async (path) => {
      const { coming: name } = whole;
      const before = this.#underWay.get(name.shard);
      await before?.catch(() => {});
      return this.#alone(name.shard, this.#move(name, name.sizeBytes, path));
    });
  }

  async #alone(shard: ShardId, work: Promise<"stored" | "there">): Promise<"stored" | "there"> {
    this.#underWay.set(shard, work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(shard);
    }
  }

  async #move(name: ShardName, sizeBytes: number, from: string): Promise<"stored" | "there"> {
    await this.#makeDirectory(name);
    if ((await this.sizeOf(name)) === sizeBytes) return "there";
    const path = this.#pathOf(name);
    try {
      await rename(from, path);
      await this.#sync.sync(join(path, ".."));
    } catch (cause) {
      throw isNoSpace(cause) ? noRoom(cause) : diskError("A shard cannot be written", cause);
    }
    return "stored";
  }

  async #putVerified(
    name: ShardName,
    bytes: Uint8Array,
    onWritten?: () => void,
  ): Promise<"stored" | "there"> {
    await this.#makeDirectory(name);
    if ((await this.sizeOf(name)) === bytes.length) return "there";
    if ((await this.freeBytes()) < bytes.length) throw noRoom();
    const path = this.#pathOf(name);
    const directory = join(path, "..");
    const temporary = join(this.#directory, "incoming", `${randomBytes(12).toString("hex")}.tmp`);
    try {
      const handle = await open(temporary, "wx", 0o600);
      try {
        await writeAll(handle, bytes);
        onWritten?.();
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
      await this.#sync.sync(directory);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => {});
      if (isNoSpace(cause)) throw noRoom(cause);
      throw diskError("A shard cannot be written", cause);
    }
    return "stored";
  }

  /**
   * Makes the names of all shards of a set durable, once in each process: a process that was killed
   * between a rename and its fsync leaves a name that is seen, and that a power cut would take. To
   * be called before anything is signed for that is only seen to be here.
   *
   * @throws BackupError when a directory cannot be read.
   */
  settleNames(owner: OwnerId, set: SetId): Promise<void> {
    const folder = this.folderOf(owner, set);
    const settled = this.#settled.get(folder);
    if (settled !== undefined) return settled;
    const work = this.#settle(folder);
    this.#settled.set(folder, work);
    work.catch(() => this.#settled.delete(folder));
    return work;
  }

  async #settle(folder: string): Promise<void> {
    try {
      const root = join(this.#directory, "shards");
      const inside = (await readdir(folder)).map((prefix) => join(folder, prefix));
      for (const path of [...inside, folder, dirname(folder), root]) await this.#sync.sync(path);
    } catch (cause) {
      if (!isAbsent(cause)) throw diskError("The shard store cannot be read", cause);
    }
  }

  /** Size in bytes of a shard that is here, else undefined. */
  async sizeOf(name: ShardName): Promise<number | undefined> {
    try {
      const { size } = await stat(this.#pathOf(name));
      return size;
    } catch (cause) {
      if (isAbsent(cause)) return undefined;
      throw diskError("The shard store cannot be read", cause);
    }
  }

  /**
   * The verified bytes of a shard, or undefined if it is not here.
   *
   * @throws BackupError when the file is damaged: another holder has to give the shard.
   */
  async read(name: ShardName): Promise<Uint8Array | undefined> {
    const bytes = await this.readUnverified(name);
    if (bytes === undefined) return undefined;
    if (!isShardSize(bytes.length) || shardIdOf(name.owner, name.set, bytes) !== name.shard) {
      throw damaged(name);
    }
    return bytes;
  }

  /**
   * For a reader that verifies itself, as every holder does with what it is sent.
   *
   * @throws BackupError when the file cannot be read, or is longer than any shard.
   */
  async readUnverified(name: ShardName): Promise<Uint8Array | undefined> {
    try {
      if (((await this.sizeOf(name)) ?? 0) > SHARD_BYTES) throw damaged(name);
      return await readFile(this.#pathOf(name));
    } catch (cause) {
      if (isAbsent(cause)) return undefined;
      throw cause instanceof BackupError ? cause : diskError("A shard cannot be read", cause);
    }
  }

  /**
   * Takes a shard out of the way if it is damaged, so that a good copy can come in its place.
   *
   * @returns Whether it was.
   */
  async discardDamaged(name: ShardName): Promise<boolean> {
    try {
      await this.read(name);
      return false;
    } catch {
      await rm(this.#pathOf(name), { force: true });
      return true;
    }
  }

  /**
   * Deletes a shard. May be undone by a power cut: then the next sweep finds it.
   *
   * @returns the bytes that this gave back; 0 when it was not here.
   */
  async remove(name: ShardName): Promise<number> {
    // A writer that comes meanwhile must not be told that the shard is there.
    await this.#underWay.get(name.shard)?.catch(() => {});
    const sizeBytes = (await this.sizeOf(name)) ?? 0;
    try {
      await rm(this.#pathOf(name), { force: true });
    } catch (cause) {
      throw diskError("A shard cannot be deleted", cause);
    }
    return sizeBytes;
  }

  /** What this store may still take from the disk, in bytes; not below 0. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#directory);
    return Math.max(0, bavail * bsize - RESERVED_BYTES);
  }

  /** Bytes on the disk for each data set: what quotas count. Reads every directory. */
  async *usage(): AsyncGenerator<{ owner: OwnerId; set: SetId; bytes: number; shards: number }> {
    for await (const { owner, set } of this.sets()) {
      yield { owner, set, ...(await countFiles(join(this.#directory, "shards", owner, set))) };
    }
  }

  /** The data sets of which there are shards here. */
  async *sets(): AsyncGenerator<{ owner: OwnerId; set: SetId }> {
    const root = join(this.#directory, "shards");
    for (const ownerName of await readdir(root)) {
      const owner = parseId<OwnerId>(ownerName);
      if (owner === undefined) continue;
      for (const setName of await readdir(join(root, ownerName))) {
        const set = parseId<SetId>(setName, 16);
        if (set !== undefined) yield { owner, set };
      }
    }
  }

  /**
   * The shards of a data set that are here, by their names alone, a directory at a time.
   *
   * @throws BackupError when a directory cannot be read: that is never "nothing is here".
   */
  async *shardsOf(owner: OwnerId, set: SetId): AsyncGenerator<ShardId> {
    const directory = join(this.#directory, "shards", owner, set);
    try {
      for (const prefix of await readdir(directory)) {
        for (const name of await readdir(join(directory, prefix))) {
          const shard = parseId<ShardId>(name);
          if (shard !== undefined) yield shard;
        }
      }
    } catch (cause) {
      if (!isAbsent(cause)) throw diskError("The shard store cannot be read", cause);
    }
  }

  /** The shards of a data set that are here. */
  async names(owner: OwnerId, set: SetId): Promise<ReadonlySet<string>> {
    const names = new Set<string>();
    for await (const shard of this.shardsOf(owner, set)) names.add(shard);
    return names;
  }

  /** Shard S of the set is the file `xx/S` in here, `xx` being the first two digits of S. */
  folderOf(owner: OwnerId, set: SetId): string {
    return join(this.#directory, "shards", owner, set);
  }

  #pathOf({ owner, set, shard }: ShardName): string {
    return join(this.folderOf(owner, set), shard.slice(0, 2), shard);
  }

  /**
   * Makes the directory of a shard, durable up to the root of the store. Once in each process its
   * names are synced as well: a crash may have come between a rename and its fsync.
   */
  #makeDirectory({ owner, set, shard }: ShardName): Promise<void> {
    const levels = [owner, set, shard.slice(0, 2)];
    const key = levels.join("/");
    const made = this.#madeDirectories.get(key);
    if (made !== undefined) return made;
    const work = (async () => {
      const parent = join(this.#directory, "shards");
      await mkdir(join(parent, ...levels), { recursive: true, mode: 0o700 });
      for (let depth = 0; depth <= levels.length; depth++) {
        await this.#sync.sync(join(parent, ...levels.slice(0, depth)));
      }
    })();
    this.#madeDirectories.set(key, work);
    work.catch(() => this.#madeDirectories.delete(key));
    return work;
  }
}

async function countFiles(directory: string): Promise<{ bytes: number; shards: number }> {
  let bytes = 0;
  let shards = 0;
  for (const prefix of await readdir(directory)) {
    const names = await readdir(join(directory, prefix));
    const sizes = await Promise.all(
      names.map(async (name) => (await stat(join(directory, prefix, name))).size),
    );
    bytes += sizes.reduce((sum, size) => sum + size, 0);
    shards += names.length;
  }
  return { bytes, shards };
}

function damaged({ shard }: ShardName): BackupError {
  return new BackupError("E-BACKUP-DISK", `The stored shard ${shard} is damaged.`);
}

/** At once: `writeFile` of Node writes 512 KiB at a time, and waits for its turn before each. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await handle.write(bytes, at, bytes.length - at, at)).bytesWritten;
  }
}
