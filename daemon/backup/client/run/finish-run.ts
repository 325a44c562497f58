/**
 * The end of a run: what the workers left open, the index and the snapshot record go into as few
 * shards as they need, the last one padded to its Padmé size.
 *
 * The index names shards, and a shard can only be named when it is sealed. So the index chunks of
 * all sealed shards come first; the last one also has the table of the shard that it lies in, and
 * stands for it with an empty id.
 */
import { encodeIndex, type ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import { chunkIdOf } from "../../../../protocol/backup/chunk.ts";
import { unpackFrame } from "../../../../protocol/backup/frame.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { tableOf } from "../../../../protocol/backup/sealed-shard.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import {
  encodeSnapshot,
  type FrameAddress,
  type SnapshotRecord,
} from "../../../../protocol/backup/snapshot.ts";
import { BackupError } from "../error.ts";
import type { FrameCodec } from "../seal/frame-codec.ts";
import { ShardPacker, type CheckedFrame } from "../seal/shard-packer.ts";
import type { SealedShard, ShardSealer } from "../seal/shard-sealer.ts";
import type { OpenRecord } from "../seal/worker-message.ts";

/** An index chunk is closed before it passes this size; only a single table may be longer. */
export const INDEX_TARGET_BYTES = 512 * 1024;

export interface OpenRun {
  readonly frames: readonly CheckedFrame[];
  /** Tables of sealed shards of this run that stand in no index yet. */
  readonly tables: readonly ShardTable[];
  readonly record: OpenRecord;
}

export interface FinishPort {
  readonly sealer: ShardSealer;
  readonly codec: FrameCodec;
  /** K_set. */
  readonly setKey: Uint8Array;
  readonly onShard: (sealed: SealedShard) => void;
}

export interface FinishedRun {
  readonly root: ShardId;
  /** As it was stored. */
  readonly record: SnapshotRecord;
}

export function finishRun(
  run: OpenRun,
  { sealer, codec, setKey, onShard }: FinishPort,
): FinishedRun {
  const pending = [...run.tables];
  const index: Address[] = run.record.index.map(({ shard, frame }) => ({ shard, frame }));
  /** Addresses in the open shard, which has no name yet. */
  let own: Address[] = [];
  const seal = (frames: readonly CheckedFrame[], size: "full" | "remainder"): ShardId => {
    const sealed = sealer.seal(frames, size);
    onShard(sealed);
    for (const address of own) address.shard = sealed.shard;
    own = [];
    const { shard, sizeBytes, keyEpoch } = sealed;
    // The indexed part only: nobody looks for the index through the index.
    const content = contentOf(frames);
    if (content.length > 0) pending.push({ shard, sizeBytes, keyEpoch, table: tableOf(content) });
    return sealed.shard;
  };
  const packer = new ShardPacker((frames) => void seal(frames, "full"), codec);
  for (const frame of run.frames) packer.addFrame(frame, plaintextOf);

  const addIndex = (tables: readonly ShardTable[]): boolean => {
    const bytes = encodeIndex(tables);
    if (!packer.addAlone("index", chunkIdOf(chunkIdKey(setKey, "index"), bytes), bytes))
      return false;
    const address: Address = { shard: undefined, frame: packer.frames().length - 1 };
    index.push(address);
    own.push(address);
    return true;
  };
  const sealOpen = (): void => {
    const frames = packer.frames();
    if (frames.length === 0) throw new BackupError("E-BACKUP-SELF", "An index fits in no shard.");
    seal(frames, "full");
    packer.reset();
  };

  for (;;) {
    // Closing the open frame may fill a shard, whose table then waits for the index like the rest.
    packer.frames();
    while (pending.length > 0) {
      const count = batchOf(pending);
      const batch = pending.slice(0, count);
      if (addIndex(batch)) pending.splice(0, count);
      else sealOpen();
    }
    const table = tableOf(contentOf(packer.frames()));
    const record = (): SnapshotRecord => ({ ...run.record, index });
    const snapshotKey = chunkIdKey(setKey, "snapshot");
    const framesBefore = packer.frames().length;
    if (addIndex([{ shard: undefined, sizeBytes: 0, keyEpoch: sealer.keyEpoch, table }])) {
      const bytes = encodeSnapshot(record());
      if (packer.addAlone("snapshot", chunkIdOf(snapshotKey, bytes), bytes)) {
        const done = record();
        const frames = packer.frames();
        const sealed = sealer.seal(frames, "remainder");
        onShard(sealed);
        for (const address of own) address.shard = sealed.shard;
        return { root: sealed.shard, record: { ...done, index } };
      }
      // The index of the own shard went in, the record did not: the index counts, the shard is full.
      if (packer.frames().length !== framesBefore + 1) throw new RangeError("frames");
    }
    sealOpen();
  }
}

type Address = { -readonly [Key in keyof FrameAddress]: FrameAddress[Key] };

/** How many of the tables make one index chunk. */
function batchOf(tables: readonly ShardTable[]): number {
  let bytes = 0;
  let count = 0;
  for (const { table } of tables) {
    bytes += table.length;
    if (count > 0 && bytes > INDEX_TARGET_BYTES) break;
    count += 1;
  }
  return count;
}

function contentOf(frames: readonly CheckedFrame[]): readonly CheckedFrame[] {
  return frames.filter(({ kind }) => kind === "data" || kind === "tree");
}

function plaintextOf({ codec, content, plainLength }: CheckedFrame): Uint8Array {
  const plaintext = unpackFrame(codec, content, plainLength);
  if (plaintext === undefined) throw new BackupError("E-BACKUP-SELF", "A frame does not unpack.");
  return plaintext;
}
