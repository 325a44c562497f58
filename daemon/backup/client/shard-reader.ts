/**
 * Reads shards back: verified by name, opened by key, and a snapshot found through its root.
 */
import { openCapsule } from "../../../protocol/backup/capsule.ts";
import { decodeIndex, type ShardTable } from "../../../protocol/backup/chunk-index.ts";
import { PleachError } from "../../../protocol/error.ts";
import type { OwnerId, SetId, ShardId } from "../../../protocol/ids.ts";
import { OpenedShard, type ShardKeys } from "../../../protocol/backup/sealed-shard.ts";
import { parseShardHeader, verifyShard, type ShardHeader } from "../../../protocol/backup/shard.ts";
import { SHARD_BYTES } from "../../../protocol/backup/shard-id.ts";
import { decodeSnapshot, type SnapshotRecord } from "../../../protocol/backup/snapshot.ts";
import { BackupError } from "./error.ts";
import { readLocalShard } from "./local-shard.ts";
import type { ShardSource } from "./port.ts";

/** The keys of one data set: by key file, or by the phrase. */
export interface ReaderKeys {
  readonly owner: OwnerId;
  readonly set: SetId;
  /** K_set. */
  readonly setKey: Uint8Array;
  /**
   * K_epoch by its number, as far as it is here. Grows when `box` opens the capsule of another
   * epoch. Without any, all but files and directories can be read.
   */
  readonly epochs: Map<number, Uint8Array>;
  /** Secret half of B: there only where a person gave the phrase. */
  readonly box?: Uint8Array;
}

/**
 * The keys that the capsule of a shard holds.
 *
 * @param bytes - A whole shard of that name.
 * @param box - Secret half of B.
 * @throws BackupError or ShardError when it is another shard, or not sealed to this owner.
 */
export function keysFromShard(
  owner: OwnerId,
  set: SetId,
  shard: ShardId,
  bytes: Uint8Array,
  box: Uint8Array,
): ReaderKeys {
  const header = verifyShard(owner, set, shard, bytes);
  const keys = openCapsule(box, header);
  if (keys === undefined) throw notOurs(shard);
  const epochs = new Map([[header.keyEpoch, keys.epochKey]]);
  return { owner, set, setKey: keys.setKey, epochs, box };
}

export class ShardReader {
  readonly keys: ReaderKeys;
  /** Where the daemon keeps the shards of the set, if its files may be read here. */
  readonly folder: string | undefined;
  /** What {@link fetch} has read so far, of files and of the daemon, and how long that took. */
  readonly measured = { file: { bytes: 0, ms: 0 }, daemon: { bytes: 0, ms: 0 } };
  readonly #source: ShardSource;

  constructor(source: ShardSource, keys: ReaderKeys, folder?: string) {
    this.#source = source;
    this.keys = keys;
    this.folder = folder;
  }

  /**
   * The bytes of a shard, verified by its name, and what of it can be opened here.
   *
   * @throws BackupError E-BACKUP-STORE when what came is not that shard; E-BACKUP-KEYS when the
   *   phrase is not the one that it was sealed for.
   */
  async fetch(shard: ShardId): Promise<{ readonly bytes: Uint8Array; readonly keys: ShardKeys }> {
    const { folder, measured } = this;
    const sinceMs = performance.now();
    const local =
      folder === undefined ? undefined : readLocalShard(folder, shard, new Uint8Array(SHARD_BYTES));
    if (local !== undefined) {
      try {
        const verified = this.#verified(shard, local);
        count(measured.file, local, sinceMs);
        return verified;
      } catch (error) {
        // The daemon then finds the damage itself, and asks another holder.
        if (!(error instanceof BackupError && error.code === "E-BACKUP-STORE")) throw error;
      }
    }
    const bytes = await this.#source.get(shard);
    count(measured.daemon, bytes, sinceMs);
    return this.#verified(shard, bytes);
  }

  #verified(shard: ShardId, bytes: Uint8Array) {
    const { owner, set } = this.keys;
    let header: ShardHeader;
    try {
      header = verifyShard(owner, set, shard, bytes);
    } catch (cause) {
      if (!(cause instanceof PleachError)) throw cause;
      throw new BackupError("E-BACKUP-STORE", `${cause.message}`, {
        hint: "Run it again: the daemon then asks another holder.",
        cause,
      });
    }
    return { bytes, keys: this.#keysFor(shard, header) };
  }

  /**
   * Like {@link fetch} for somebody who verifies the bytes, and from the daemon: only the header
   * was read.
   *
   * @throws BackupError E-BACKUP-EPOCH when the key of its epoch is not here.
   */
  async fetchUnverified(
    shard: ShardId,
  ): Promise<{ readonly bytes: Uint8Array; readonly epochKey: Uint8Array }> {
    const bytes = await this.#source.get(shard);
    const header = parseShardHeader(bytes);
    const { epochKey } = this.#keysFor(shard, header);
    if (epochKey === undefined) throw noEpochKey(header.keyEpoch);
    return { bytes, epochKey };
  }

  /** Opens what a shard says of itself, and its content where the key of its epoch is here. */
  async open(shard: ShardId): Promise<OpenedShard> {
    const { bytes, keys } = await this.fetch(shard);
    return new OpenedShard(bytes, keys);
  }

  /** Opens a shard for its files or directories. @throws BackupError E-BACKUP-EPOCH. */
  async openContent(shard: ShardId): Promise<OpenedShard> {
    const { bytes, keys } = await this.fetch(shard);
    if (keys.epochKey === undefined) throw noEpochKey(parseShardHeader(bytes).keyEpoch);
    return new OpenedShard(bytes, keys);
  }

  /** The record of the snapshot that has this root. */
  async snapshot(root: ShardId): Promise<SnapshotRecord> {
    const opened = await this.open(root);
    const number = opened.frames.findIndex(({ kind }) => kind === "snapshot");
    if (number === -1) throw contradiction(`Shard ${root} holds no snapshot record.`);
    const record = decodeSnapshot(opened.frame(number));
    if (record.set !== this.keys.set) throw contradiction("The record is of another data set.");
    return record;
  }

  /** All tables that the index of a snapshot names; the shard of each is known. */
  async *tables(root: ShardId, record: SnapshotRecord): AsyncGenerator<ShardTable> {
    const framesOf = new Map<ShardId, number[]>();
    for (const { shard = root, frame } of record.index) {
      const frames = framesOf.get(shard);
      if (frames === undefined) framesOf.set(shard, [frame]);
      else frames.push(frame);
    }
    for (const [shard, frames] of framesOf) {
      const { bytes, keys } = await this.fetch(shard);
      const opened = new OpenedShard(bytes, keys);
      for (const frame of frames) {
        if (opened.frames[frame]?.kind !== "index") {
          throw contradiction(`Frame ${frame} of shard ${shard} is no index.`);
        }
        for (const table of decodeIndex(opened.frame(frame))) {
          yield table.shard === undefined ? { ...table, shard, sizeBytes: bytes.length } : table;
        }
      }
    }
  }

  #keysFor(shard: ShardId, header: ShardHeader): ShardKeys {
    const { epochs, box, setKey } = this.keys;
    const known = epochs.get(header.keyEpoch);
    if (known !== undefined || box === undefined) return { setKey, epochKey: known };
    const opened = openCapsule(box, header);
    if (opened === undefined) throw notOurs(shard);
    epochs.set(header.keyEpoch, opened.epochKey);
    return { setKey, epochKey: opened.epochKey };
  }
}

function count(rate: { bytes: number; ms: number }, bytes: Uint8Array, sinceMs: number): void {
  rate.bytes += bytes.length;
  rate.ms += performance.now() - sinceMs;
}

/** What the backup says contradicts itself: it was not made by a sound client. */
export function contradiction(message: string): BackupError {
  return new BackupError("E-RESTORE-CONTENT", message, {
    hint: "Restore an older snapshot:  pleach backup show SET",
  });
}

function noEpochKey(epoch: number): BackupError {
  return new BackupError("E-BACKUP-EPOCH", `The key of key epoch ${epoch} is not here.`, {
    hint: "Open it with the phrase:  pleach keys open SET --at WHEN --out FILE",
  });
}

function notOurs(shard: ShardId): BackupError {
  return new BackupError("E-BACKUP-KEYS", `Shard ${shard} is sealed with a key that is not here.`, {
    hint: "Is this the phrase of the owner of this data set?",
  });
}
