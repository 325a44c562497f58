/**
 * Puts chunks together that were cut at the end of a shard, to compare them with their ids.
 *
 * Shards come in about the order in which they were sealed, so few chunks wait for their rest.
 * When too many do, the oldest is given up: each of its pieces was sound in itself.
 */
import type { ShardId } from "../../../../protocol/ids.ts";
import { gaplessWay } from "../read/gapless-way.ts";
import type { CutPiece, ShardChecker } from "./shard-check.ts";

const MAX_WAITING_BYTES = 64 * 1024 * 1024;

interface Waiting extends CutPiece {
  readonly shard: ShardId;
}

export class CutChunks {
  readonly #checker: Pick<ShardChecker, "isChunk">;
  /** By the id of the chunk, oldest first. */
  readonly #waiting = new Map<string, Waiting[]>();
  #waitingBytes = 0;
  /** Chunks that were compared. */
  checked = 0;

  constructor(checker: Pick<ShardChecker, "isChunk">) {
    this.#checker = checker;
  }

  /** @returns Shards whose pieces make a chunk that is not what its id says; mostly none. */
  add(shard: ShardId, piece: CutPiece): readonly ShardId[] {
    const name = `${piece.kind} ${Buffer.from(piece.chunkId).toString("hex")}`;
    const pieces = [...(this.#waiting.get(name) ?? []), { ...piece, shard }];
    this.#waitingBytes += piece.bytes.length;
    const whole = assemble(pieces);
    this.#waiting.set(name, pieces);
    if (whole === undefined) {
      while (this.#waitingBytes > MAX_WAITING_BYTES) this.#giveUpOldest();
      return [];
    }
    this.#forget(name);
    this.checked += 1;
    const { kind, chunkId } = piece;
    const isRight = this.#checker.isChunk(kind, chunkId, whole);
    return isRight ? [] : pieces.map((each) => each.shard);
  }

  #giveUpOldest(): void {
    const [oldest] = this.#waiting.keys();
    if (oldest === undefined) throw new RangeError("nothing waits");
    this.#forget(oldest);
  }

  #forget(name: string): void {
    for (const { bytes } of this.#waiting.get(name) ?? []) this.#waitingBytes -= bytes.length;
    this.#waiting.delete(name);
  }
}

function assemble(pieces: readonly CutPiece[]): Uint8Array | undefined {
  const way = gaplessWay(pieces, ({ bytes }) => bytes.length);
  return way === undefined ? undefined : Buffer.concat(way.map(({ bytes }) => bytes));
}
