/** What the main thread of a backup and its workers say to one another. */
import type { Extent } from "../../../../protocol/backup/tree.ts";
import type { ChunkKind } from "../../../../protocol/backup/chunk.ts";
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import type { SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import type { EndMessage } from "./end-worker.ts";
import type { SealSubject, SealedShard, ShardSlots } from "./shard-sealer.ts";
import type { CheckedFrame } from "./shard-packer.ts";
import type { SeenLevel } from "./seen-chunks.ts";
import type { Portion } from "../read/stream-cutter.ts";

/** Where files are cut: by their content, or at each 4 MiB. */
export type Cut = "content" | "fixed";

export interface WorkerSetup {
  readonly subject: SealSubject;
  readonly cut: Cut;
  readonly slots: ShardSlots;
  readonly seen: readonly SeenLevel[];
}

/**
 * Files to read, packed into few buffers, since thousands of objects a second are slow to send.
 * A file is opened as `/proc/self/fd/FOLDER/NAME`: descriptors belong to the whole process.
 */
export interface FileBatch {
  /** Names, one after another. */
  readonly names: Uint8Array;
  /** For each file: folder descriptor, length of the name, size in bytes, inode. */
  readonly facts: Float64Array;
}

/** The outcome for each file of a batch, in order; of a portion of a stream the ids alone. */
export interface BatchResult {
  /** Chunk ids, one after another. */
  readonly ids: Uint8Array;
  /** For each file: number of chunks, size in bytes, 1 if it changed; -1 chunks: it failed. */
  readonly facts: Float64Array;
  readonly extents: readonly { readonly file: number; readonly extents: readonly Extent[] }[];
  readonly failures: readonly { readonly file: number; readonly reason: string }[];
}

/** The record but for what only the last shard knows. */
export type OpenRecord = Omit<SnapshotRecord, "index"> & {
  /** Index chunks of earlier runs, and of this one as far as they are stored. */
  readonly index: SnapshotRecord["index"];
};

export type ToWorker =
  | { readonly type: "files"; readonly batch: number; readonly files: FileBatch }
  | { readonly type: "portion"; readonly batch: number; readonly portion: Portion }
  | { readonly type: "chunks"; readonly chunks: readonly TaggedChunk[] }
  | { readonly type: "grow"; readonly level: SeenLevel }
  | { readonly type: "drain" }
  | EndMessage
  | {
      readonly type: "finish";
      readonly frames: readonly CheckedFrame[];
      readonly tables: readonly ShardTable[];
      readonly record: OpenRecord;
    };

export interface TaggedChunk {
  readonly kind: ChunkKind;
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
}

export type FromWorker =
  | { readonly type: "result"; readonly batch: number; readonly result: BatchResult }
  | { readonly type: "shard"; readonly sealed: SealedShard }
  | { readonly type: "drained"; readonly frames: readonly CheckedFrame[] }
  | { readonly type: "finished"; readonly root: ShardId; readonly record: SnapshotRecord }
  | { readonly type: "failed"; readonly code: string | undefined; readonly message: string };

/**
 * Joins buffers in memory of their own. What `Buffer.concat` makes may be a part of a pool of 64 KiB,
 * all of which is sent along, and which the receiver keeps as long as any of it.
 */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
