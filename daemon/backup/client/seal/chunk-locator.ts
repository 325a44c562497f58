/**
 * Where each chunk of a snapshot lies: an index in a few typed arrays, about 60 bytes a piece, so
 * that a million chunks take 60 MB and not ten times as much.
 */
import { CHUNK_ID_BYTES, type ChunkKind } from "../../../../protocol/backup/chunk.ts";
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { decodeTable } from "../../../../protocol/backup/shard-table.ts";
import { gaplessWay } from "../read/gapless-way.ts";
import { contradiction } from "../shard-reader.ts";

/** A part of a chunk, and where its bytes are. */
export interface PiecePlace {
  readonly shard: ShardId;
  readonly frame: number;
  /** Where in the plaintext of the frame the piece begins. */
  readonly frameOffset: number;
  readonly length: number;
  readonly chunkOffset: number;
  readonly chunkLength: number;
}

/** Numbers kept for each piece. */
const COLUMNS = 7;
const [SHARD, FRAME, FRAME_OFFSET, LENGTH, CHUNK_OFFSET, CHUNK_LENGTH, NEXT] = [
  0, 1, 2, 3, 4, 5, 6,
];
const NONE = 0xffffffff;

export class ChunkLocator {
  readonly #shards: ShardId[] = [];
  readonly #epochs = new Map<ShardId, number>();
  #ids: Uint8Array = new Uint8Array(4096 * CHUNK_ID_BYTES);
  #columns = new Uint32Array(4096 * COLUMNS);
  #count = 0;
  /** First piece of each bucket; rebuilt when it gets too small. */
  #buckets = new Uint32Array(8192).fill(NONE);

  /** Key epochs that there is something of. */
  get epochs(): ReadonlySet<number> {
    return new Set(this.#epochs.values());
  }

  /** The key epoch of a shard of which there is a table. */
  epochOf(shard: ShardId): number {
    const epoch = this.#epochs.get(shard);
    if (epoch === undefined) throw new RangeError(`no table of shard ${shard}`);
    return epoch;
  }

  /** All shards of which there is a table. */
  get shards(): ReadonlySet<ShardId> {
    return new Set(this.#shards);
  }

  /** Takes the table of a shard; only pieces of these kinds are looked for later. */
  add({ shard, keyEpoch, table }: ShardTable, kinds: readonly ChunkKind[]): void {
    if (shard === undefined) throw new RangeError("a table without its shard");
    this.#epochs.set(shard, keyEpoch);
    const shardNumber = this.#shards.push(shard) - 1;
    decodeTable(table).forEach(({ kind, pieces }, frame) => {
      let frameOffset = 0;
      for (const { chunkId, length, chunkOffset, chunkLength } of pieces) {
        if (kinds.includes(kind)) {
          const row = [shardNumber, frame, frameOffset, length, chunkOffset, chunkLength, NONE];
          this.#insert(chunkId, row);
        }
        frameOffset += length;
      }
    });
  }

  /**
   * The pieces that make up a chunk, in order.
   *
   * @throws BackupError E-RESTORE-CONTENT when the index does not have all of it.
   */
  find(id: Uint8Array): readonly PiecePlace[] {
    const found: PiecePlace[] = [];
    for (let at = this.#first(id); at !== NONE; at = this.#cell(at, NEXT)) {
      if (!this.#isId(at, id)) continue;
      const piece = this.#piece(at);
      if (piece.length === piece.chunkLength) return [piece];
      found.push(piece);
    }
    const way = gaplessWay(found, (piece) => piece.length);
    if (way !== undefined) return way;
    const name = Buffer.from(id).toString("hex");
    throw contradiction(`The index of the snapshot does not say where chunk ${name} is.`);
  }

  #insert(id: Uint8Array, row: readonly number[]): void {
    if ((this.#count + 1) * COLUMNS > this.#columns.length) this.#grow();
    const at = this.#count++;
    this.#ids.set(id, at * CHUNK_ID_BYTES);
    this.#columns.set(row, at * COLUMNS);
    this.#link(at);
  }

  #link(at: number): void {
    const bucket = this.#bucketOf(this.#ids, at * CHUNK_ID_BYTES);
    this.#columns[at * COLUMNS + NEXT] = this.#buckets[bucket] ?? NONE;
    this.#buckets[bucket] = at;
  }

  #grow(): void {
    const ids = new Uint8Array(this.#ids.length * 2);
    ids.set(this.#ids);
    const columns = new Uint32Array(this.#columns.length * 2);
    columns.set(this.#columns);
    this.#ids = ids;
    this.#columns = columns;
    this.#buckets = new Uint32Array(this.#buckets.length * 2).fill(NONE);
    for (let at = 0; at < this.#count; at++) this.#link(at);
  }

  #first(id: Uint8Array): number {
    return this.#buckets[this.#bucketOf(id, 0)] ?? NONE;
  }

  /** Ids are the output of a MAC: any of their bits are as good as a hash. */
  #bucketOf(ids: Uint8Array, offset: number): number {
    const view = new DataView(ids.buffer, ids.byteOffset + offset, 4);
    return view.getUint32(0) & (this.#buckets.length - 1);
  }

  #isId(at: number, id: Uint8Array): boolean {
    const start = at * CHUNK_ID_BYTES;
    return Buffer.compare(this.#ids.subarray(start, start + CHUNK_ID_BYTES), id) === 0;
  }

  #piece(at: number): PiecePlace {
    const shard = this.#shards[this.#cell(at, SHARD)];
    if (shard === undefined) throw new RangeError("shard number");
    return {
      shard,
      frame: this.#cell(at, FRAME),
      frameOffset: this.#cell(at, FRAME_OFFSET),
      length: this.#cell(at, LENGTH),
      chunkOffset: this.#cell(at, CHUNK_OFFSET),
      chunkLength: this.#cell(at, CHUNK_LENGTH),
    };
  }

  #cell(at: number, column: number): number {
    return this.#columns[at * COLUMNS + column] ?? NONE;
  }
}
