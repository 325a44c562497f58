/** Reads directories out of shards, with the last few frames at hand. */
import type { KeyObject } from "node:crypto";
import { CHUNK_ID_BYTES, chunkIdOf } from "../../../../protocol/backup/chunk.ts";
import { release } from "../../../../protocol/backup/frame.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import type { OpenedShard } from "../../../../protocol/backup/sealed-shard.ts";
import { decodeTree } from "../../../../protocol/backup/tree-decode.ts";
import type { TreeEntry } from "../../../../protocol/backup/tree.ts";
import type { ChunkLocator, PiecePlace } from "../seal/chunk-locator.ts";
import { contradiction, type ShardReader } from "../shard-reader.ts";

/** Trees lie together in the order of the walk, so few frames are enough. At most 4 MiB each. */
const MAX_FRAMES = 6;
const MAX_SHARDS = 6;

export class TreeReader {
  readonly #reader: ShardReader;
  readonly #locator: ChunkLocator;
  readonly #treeKey: KeyObject;
  readonly #shards = new Map<ShardId, OpenedShard>();
  readonly #frames = new Map<string, Uint8Array>();

  constructor(reader: ShardReader, locator: ChunkLocator, treeKey: KeyObject) {
    this.#reader = reader;
    this.#locator = locator;
    this.#treeKey = treeKey;
  }

  /**
   * The entries of a directory, tree chunk by tree chunk.
   *
   * @param ids - Of its tree chunks, 32 bytes each.
   * @throws BackupError, TreeError or CborError when they are not sound.
   */
  async *directory(ids: Uint8Array): AsyncGenerator<readonly TreeEntry[]> {
    let last: Uint8Array | undefined;
    for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
      const entries = decodeTree(await this.#chunk(ids.subarray(at, at + CHUNK_ID_BYTES)), last);
      last = entries.at(-1)?.name ?? last;
      yield entries;
    }
  }

  async #chunk(id: Uint8Array): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (const piece of this.#locator.find(id)) {
      const frame = await this.#frame(piece);
      // A copy (which Buffer.slice is not): entries are in use when the frame is given up.
      parts.push(
        Uint8Array.from(frame.subarray(piece.frameOffset, piece.frameOffset + piece.length)),
      );
    }
    const chunk = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    if (Buffer.compare(chunkIdOf(this.#treeKey, chunk), id) !== 0) {
      throw contradiction("A directory in the backup is not what the snapshot names.");
    }
    return chunk;
  }

  async #frame({ shard, frame }: PiecePlace): Promise<Uint8Array> {
    const key = `${shard}:${frame}`;
    const known = this.#frames.get(key);
    if (known !== undefined) {
      // Newest last.
      this.#frames.delete(key);
      this.#frames.set(key, known);
      return known;
    }
    const plaintext = (await this.#shard(shard)).frame(frame);
    this.#frames.set(key, plaintext);
    const [oldest] = this.#frames.keys();
    if (this.#frames.size > MAX_FRAMES && oldest !== undefined) {
      const given = this.#frames.get(oldest);
      this.#frames.delete(oldest);
      if (given !== undefined) release(given);
    }
    return plaintext;
  }

  async #shard(shard: ShardId): Promise<OpenedShard> {
    const known = this.#shards.get(shard);
    if (known !== undefined) return known;
    const opened = await this.#reader.openContent(shard);
    this.#shards.set(shard, opened);
    const [oldest] = this.#shards.keys();
    if (this.#shards.size > MAX_SHARDS && oldest !== undefined) this.#shards.delete(oldest);
    return opened;
  }
}
