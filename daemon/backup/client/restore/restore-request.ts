/** What is to be restored, where to, and what came of it. */
import type { ShardId } from "../../../../protocol/ids.ts";
import type { SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import type { ChunkLocator } from "../seal/chunk-locator.ts";
import type { ShardReader } from "../shard-reader.ts";

export interface RestoreRequest {
  readonly reader: ShardReader;
  readonly root: ShardId;
  /** The record of that root. */
  readonly record: SnapshotRecord;
  /** Does not exist, is empty, or holds what an earlier run of the same restore has left. */
  readonly target: string;
  /** Of the snapshot; read when it is not given. */
  readonly locator?: ChunkLocator;
  /** Only these paths and what is below them, absolute, as bytes. None: everything. */
  readonly only?: readonly Uint8Array[];
  /** Make device nodes, and set the set-id bits of files: only where the backup is trusted. */
  readonly privileged: boolean;
  readonly onProgress: (figures: RestoreFigures) => void;
}

export interface RestoreFigures {
  /** Files that are complete, and bytes that are written or were there. */
  files: number;
  bytes: number;
  /** What could not be restored as it was: path and reason, in words. */
  readonly problems: { readonly path: string; readonly problem: string }[];
}
