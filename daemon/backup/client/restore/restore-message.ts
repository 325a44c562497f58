/** What the main thread of a restore and its workers say to one another. */
import type { OwnerId, SetId, ShardId } from "../../../../protocol/ids.ts";
import type { Extent } from "../../../../protocol/backup/tree.ts";
import type { FileMeta } from "./file-writer.ts";

export interface RestoreSetup {
  readonly owner: OwnerId;
  readonly set: SetId;
  /** K_set. */
  readonly setKey: Uint8Array;
  /** K_epoch by its number, as far as it is known. */
  readonly epochs: ReadonlyMap<number, Uint8Array>;
  /** Where the daemon keeps the shards of the set, when their files may be read. */
  readonly folder: string | undefined;
}

/** A piece of a chunk, and where in a file it goes. */
export interface WriteItem {
  readonly folderFd: number;
  readonly name: Uint8Array;
  readonly chunkId: Uint8Array;
  readonly frame: number;
  readonly frameOffset: number;
  readonly length: number;
  readonly chunkOffset: number;
  readonly chunkLength: number;
  /** Ranges of the file that take the bytes of the piece, in order. */
  readonly ranges: readonly Extent[];
  /**
   * There when the piece is all the data of the file: then the worker creates and finishes it.
   * `holesUpTo` is the size of a file with holes.
   */
  readonly whole: { readonly meta: FileMeta; readonly holesUpTo: number | undefined } | undefined;
}

export interface ShardJob {
  readonly job: number;
  readonly shard: ShardId;
  /** The shard with its K_epoch, as the daemon gave it. Undefined: the worker reads its file. */
  readonly given: { readonly bytes: Uint8Array; readonly epochKey: Uint8Array } | undefined;
  /** By their numbers, so that what could not be done from one copy can be done from another. */
  readonly items: ReadonlyMap<number, WriteItem>;
}

export interface ItemProblem {
  readonly item: number;
  readonly problem: string;
}

export type FromRestoreWorker =
  | {
      readonly type: "done";
      readonly job: number;
      readonly problems: readonly ItemProblem[];
      /** Items that are not written: the file was not there or not sound. The rest is. */
      readonly left: readonly number[];
    }
  | {
      readonly type: "failed";
      /** Code of an error of ours, or of the system. */
      readonly code: string;
      readonly message: string;
    };
