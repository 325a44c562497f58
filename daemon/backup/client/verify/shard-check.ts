/**
 * Looks at every byte of a shard: its name, each sealed frame, each chunk.
 *
 * Who can be to blame differs. Bytes that are not those of the name were changed where they lie:
 * another copy is as good as new. A sound shard that contradicts its own index was made like that:
 * no copy is better.
 */
import { PleachError } from "../../../../protocol/error.ts";
import { CHUNK_KINDS, type ChunkKind } from "../../../../protocol/backup/chunk.ts";
import { release } from "../../../../protocol/backup/frame.ts";
import type { OwnerId, SetId, ShardId } from "../../../../protocol/ids.ts";
import { OpenedShard } from "../../../../protocol/backup/sealed-shard.ts";
import { parseShardHeader, verifyShard } from "../../../../protocol/backup/shard.ts";
import { encodeTable } from "../../../../protocol/backup/shard-table.ts";
import { ChunkNamer } from "../seal/chunk-namer.ts";
import type { FrameCodec } from "../seal/frame-codec.ts";

export interface CheckKeys {
  readonly owner: OwnerId;
  readonly set: SetId;
  /** K_set. */
  readonly setKey: Uint8Array;
  /** K_epoch by its number, as far as it is known. */
  readonly epochs: ReadonlyMap<number, Uint8Array>;
}

/** A part of a chunk that goes on in another shard. */
export interface CutPiece {
  readonly kind: ChunkKind;
  readonly chunkId: Uint8Array;
  readonly chunkOffset: number;
  readonly chunkLength: number;
  /** In memory of its own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type ShardCheck =
  | {
      readonly state: "sound";
      /** Whether its content was opened: not where the key of its epoch is not here. */
      readonly isOpened: boolean;
      readonly sizeBytes: number;
      /** Whole chunks that were compared with their ids. */
      readonly chunks: number;
      readonly cut: readonly CutPiece[];
    }
  /** The bytes are not the ones that the name stands for. */
  | { readonly state: "damaged" }
  /** It is the shard of that name, and what is in it contradicts itself or the index. */
  | { readonly state: "wrong"; readonly reason: string };

export class ShardChecker {
  readonly #keys: CheckKeys;
  readonly #codec: FrameCodec;
  readonly #namers: ReadonlyMap<ChunkKind, ChunkNamer>;

  constructor(keys: CheckKeys, codec: FrameCodec) {
    this.#keys = keys;
    this.#codec = codec;
    this.#namers = new Map(CHUNK_KINDS.map((kind) => [kind, new ChunkNamer(keys.setKey, kind)]));
  }

  /** @param table - What the index says of the shard; undefined when it does not name it. */
  check(shard: ShardId, bytes: Uint8Array, table: Uint8Array | undefined): ShardCheck {
    const { owner, set, setKey, epochs } = this.#keys;
    try {
      verifyShard(owner, set, shard, bytes);
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      return { state: "damaged" };
    }
    try {
      const epochKey = epochs.get(parseShardHeader(bytes).keyEpoch);
      const opened = new OpenedShard(bytes, { setKey, epochKey });
      if (table !== undefined && !isTableOf(opened, table)) {
        return { state: "wrong", reason: "it is not what the index says" };
      }
      const isOpened = epochKey !== undefined;
      const found = this.#chunks(opened, isOpened);
      if ("reason" in found) return { state: "wrong", ...found };
      return { state: "sound", isOpened, sizeBytes: bytes.length, ...found };
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      return { state: "wrong", reason: error.message };
    }
  }

  /** Whether these bytes are the chunk of that id. */
  isChunk(kind: ChunkKind, id: Uint8Array, bytes: Uint8Array): boolean {
    const namer = this.#namers.get(kind);
    return namer !== undefined && Buffer.compare(namer.name(bytes), id) === 0;
  }

  #chunks(
    opened: OpenedShard,
    isOpened: boolean,
  ): { readonly chunks: number; readonly cut: readonly CutPiece[] } | { readonly reason: string } {
    let chunks = 0;
    const cut: CutPiece[] = [];
    const unpack = this.#codec.unpack.bind(this.#codec);
    for (const [number, { kind, codec, pieces }] of opened.frames.entries()) {
      if (!isOpened && isContent(kind)) continue;
      const plaintext = opened.frame(number, unpack);
      let at = 0;
      for (const { chunkId, length, chunkOffset, chunkLength } of pieces) {
        const content = plaintext.subarray(at, at + length);
        at += length;
        if (length < chunkLength) {
          cut.push({ kind, chunkId, chunkOffset, chunkLength, bytes: Uint8Array.from(content) });
        } else if (this.isChunk(kind, chunkId, content)) {
          chunks += 1;
        } else {
          return { reason: `chunk ${Buffer.from(chunkId).toString("hex")} has another content` };
        }
      }
      // What was compressed lies in the memory of the codec.
      if (codec === "stored") release(plaintext);
    }
    return { chunks, cut };
  }
}

/** What is sealed with the key of the epoch, and stands in the index. */
function isContent(kind: ChunkKind): boolean {
  return kind === "data" || kind === "tree";
}

/**
 * An index names of a shard all frames, or those of content alone: while a shard is made that holds
 * its own index, the rest of it is not known yet.
 */
function isTableOf({ frames }: OpenedShard, table: Uint8Array): boolean {
  const content = frames.filter(({ kind }) => isContent(kind));
  return [frames, content].some((named) => Buffer.compare(encodeTable(named), table) === 0);
}
