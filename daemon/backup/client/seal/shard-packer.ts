/**
 * Fills shards to the byte: chunks go into frames, frames into a shard of exactly 4 MiB.
 *
 * How long a frame gets is only known after zstd, so the last frames of a shard are cut by the
 * ratio seen so far, and one that came out too long is cut again. What does not fit goes on in
 * the next shard: a chunk may have pieces in two.
 */
import { crc32 } from "node:zlib";
import type { ChunkKind } from "../../../../protocol/backup/chunk.ts";
import { release, type FrameContent } from "../../../../protocol/backup/frame.ts";
import type { PackedFrame } from "../../../../protocol/backup/sealed-shard.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import {
  FRAMES_OFFSET,
  FRAME_OVERHEAD_BYTES,
  TABLE_LENGTH_BYTES,
  tableBound,
  type TablePiece,
} from "../../../../protocol/backup/shard-table.ts";
import type { FrameCodec } from "./frame-codec.ts";

/**
 * Plaintext of a full frame. Against 1 MiB, 2 MiB store /usr/share in 7 % less; the window of
 * zstd at level 3 has 2 MiB, so more brings nothing.
 */
export const FRAME_BYTES = 2 * 1024 * 1024;
/** Less room than this at the end of a shard is left to the padding: some 0.5 %. */
const LEAST_ROOM_BYTES = 20 * 1024;
const LEAST_FRAME_BYTES = 16 * 1024;
/** Keeps the table of a shard of tiny files from outgrowing the shard. */
const MAX_FRAME_PIECES = 16_384;
/** Aims below the room that is left, since the ratio of the next bytes is only guessed. */
const AIM_RATIO = 0.98;

/** A packed frame with a checksum of its plaintext, to compare when the shard is opened again. */
export interface CheckedFrame extends PackedFrame {
  readonly crc: number;
}

/** Takes the frames of a shard that is full; their content is valid until it returns. */
export type FullShard = (frames: readonly CheckedFrame[]) => void;

export class ShardPacker {
  readonly #onFull: FullShard;
  readonly #codec: FrameCodec;
  readonly #plain = new Uint8Array(FRAME_BYTES);
  /** The content of the frames, as far as they were packed here. */
  readonly #packed = new Uint8Array(SHARD_BYTES);
  #packedBytes = 0;
  #filled = 0;
  #target = 0;
  #kind: ChunkKind = "data";
  #pieces: TablePiece[] = [];
  #frames: CheckedFrame[] = [];
  /** Length of all sealed frames so far. */
  #usedBytes = 0;
  #framePieces = 0;
  #frameParts = 0;
  /** Packed by plain bytes, of the frames of late. */
  #ratio = 0.5;

  /** @param codec - May serve other packers of this thread, too. */
  constructor(onFull: FullShard, codec: FrameCodec) {
    this.#onFull = onFull;
    this.#codec = codec;
  }

  /** Adds a chunk; its bytes are copied. */
  add(kind: ChunkKind, chunkId: Uint8Array, chunk: Uint8Array): void {
    this.#addPiece(kind, chunk, {
      chunkId,
      length: chunk.length,
      chunkOffset: 0,
      chunkLength: chunk.length,
    });
  }

  /**
   * Adds a frame of another packer as it is, or, when it does not fit, its plaintext.
   *
   * @param unpack - Gives the plaintext of the frame.
   */
  addFrame(frame: CheckedFrame, unpack: (frame: CheckedFrame) => Uint8Array): void {
    this.#closeFrame();
    if (this.#fits(frame.content.length, frame.pieces)) {
      this.#push(frame);
      return;
    }
    const plaintext = unpack(frame);
    let at = 0;
    for (const piece of frame.pieces) {
      this.#addPiece(frame.kind, plaintext.subarray(at, at + piece.length), piece);
      at += piece.length;
    }
  }

  /** Adds a chunk as a frame of its own. False when it does not fit in the open shard. */
  addAlone(kind: ChunkKind, chunkId: Uint8Array, chunk: Uint8Array): boolean {
    this.#closeFrame();
    const length = chunk.length;
    const pieces = [{ chunkId, length, chunkOffset: 0, chunkLength: length }];
    const packed = this.#codec.pack(chunk);
    if (!this.#fits(packed.content.length, pieces)) return false;
    this.#push({ ...this.#kept(packed), kind, plainLength: length, pieces, crc: crc32(chunk) });
    return true;
  }

  /** The frames that are open, the last one closed. Their content is valid until more is added. */
  frames(): readonly CheckedFrame[] {
    this.#closeFrame();
    return this.#frames;
  }

  /** Gives all memory back. Nothing can be added afterwards. */
  end(): void {
    this.reset();
    release(this.#plain);
    release(this.#packed);
  }

  /** Forgets the open frames: they were taken. */
  reset(): void {
    this.#frames = [];
    this.#packedBytes = 0;
    this.#usedBytes = 0;
    this.#framePieces = 0;
    this.#frameParts = 0;
  }

  #addPiece(kind: ChunkKind, bytes: Uint8Array, piece: TablePiece): void {
    if (this.#filled > 0 && kind !== this.#kind) this.#closeFrame();
    this.#kind = kind;
    for (let done = 0; done < bytes.length;) {
      if (this.#filled === 0) this.#target = this.#nextTarget();
      const take = Math.min(bytes.length - done, this.#target - this.#filled);
      this.#plain.set(bytes.subarray(done, done + take), this.#filled);
      this.#filled += take;
      this.#pieces.push({ ...piece, length: take, chunkOffset: piece.chunkOffset + done });
      done += take;
      if (this.#filled >= this.#target || this.#pieces.length >= MAX_FRAME_PIECES) {
        this.#closeFrame();
      }
    }
  }

  #closeFrame(): void {
    while (this.#filled > 0) {
      const plaintext = this.#plain.subarray(0, this.#filled);
      const packed = this.#codec.pack(plaintext);
      this.#ratio = packed.content.length / plaintext.length;
      if (this.#fits(packed.content.length, this.#pieces)) {
        this.#push(this.#checked(plaintext, packed, this.#pieces));
        this.#filled = 0;
        this.#pieces = [];
        if (this.#room() < LEAST_ROOM_BYTES) this.#emit();
        return;
      }
      this.#splitFrame();
    }
  }

  /** Puts as much of the open frame into the shard as fits; the rest begins the next one. */
  #splitFrame(): void {
    while (this.#filled > 0) {
      if (this.#room() < LEAST_ROOM_BYTES || !this.#placeHead()) {
        this.#emit();
        return;
      }
    }
  }

  /** Puts a part of the open frame into the shard, the more the better. False: nothing fits. */
  #placeHead(): boolean {
    let length = this.#filled;
    for (;;) {
      // Also above the guess: the ratio is that of bytes which may be unlike the next.
      const guess = Math.floor((this.#room() / this.#ratio) * AIM_RATIO);
      length = Math.min(guess, Math.floor(length * 0.95), this.#filled);
      if (length < LEAST_FRAME_BYTES) return false;
      const { head, tail } = splitPieces(this.#pieces, length);
      const plaintext = this.#plain.subarray(0, length);
      const packed = this.#codec.pack(plaintext);
      this.#ratio = packed.content.length / length;
      if (this.#fits(packed.content.length, head)) {
        this.#push(this.#checked(plaintext, packed, head));
        this.#plain.copyWithin(0, length, this.#filled);
        this.#filled -= length;
        this.#pieces = tail;
        return true;
      }
    }
  }

  #checked(
    plaintext: Uint8Array,
    packed: FrameContent,
    pieces: readonly TablePiece[],
  ): CheckedFrame {
    const plainLength = plaintext.length;
    return { ...this.#kept(packed), kind: this.#kind, plainLength, pieces, crc: crc32(plaintext) };
  }

  /** Takes content out of the memory of the codec. There is room: it fits into the shard. */
  #kept({ codec, content }: FrameContent): FrameContent {
    const end = this.#packedBytes + content.length;
    const kept = this.#packed.subarray(this.#packedBytes, end);
    kept.set(content);
    this.#packedBytes = end;
    return { codec, content: kept };
  }

  #push(frame: CheckedFrame): void {
    this.#frames.push(frame);
    this.#usedBytes += frame.content.length + FRAME_OVERHEAD_BYTES;
    this.#framePieces += frame.pieces.length;
    this.#frameParts += parts(frame.pieces);
  }

  #emit(): void {
    if (this.#frames.length > 0) this.#onFull(this.#frames);
    this.reset();
  }

  #nextTarget(): number {
    if (this.#room() < LEAST_ROOM_BYTES) this.#emit();
    const aim = Math.floor((this.#room() / this.#ratio) * AIM_RATIO);
    return Math.max(LEAST_FRAME_BYTES, Math.min(FRAME_BYTES, aim));
  }

  /** What one more frame may take, its pieces in the table not counted. */
  #room(): number {
    return SHARD_BYTES - this.#needed(1, 0, 0);
  }

  #fits(contentLength: number, pieces: readonly TablePiece[]): boolean {
    return contentLength + this.#needed(1, pieces.length, parts(pieces)) <= SHARD_BYTES;
  }

  #needed(frames: number, pieces: number, cutPieces: number): number {
    const table = tableBound(
      this.#frames.length + frames,
      this.#framePieces + pieces,
      this.#frameParts + cutPieces,
    );
    const fixed = FRAMES_OFFSET + FRAME_OVERHEAD_BYTES + TABLE_LENGTH_BYTES;
    return fixed + table + this.#usedBytes + frames * FRAME_OVERHEAD_BYTES;
  }
}

function parts(pieces: readonly TablePiece[]): number {
  let count = 0;
  for (const { length, chunkLength } of pieces) if (length !== chunkLength) count += 1;
  return count;
}

function splitPieces(
  pieces: readonly TablePiece[],
  length: number,
): { readonly head: TablePiece[]; readonly tail: TablePiece[] } {
  const head: TablePiece[] = [];
  const tail: TablePiece[] = [];
  let at = 0;
  for (const piece of pieces) {
    const before = Math.min(Math.max(length - at, 0), piece.length);
    if (before > 0) head.push({ ...piece, length: before });
    if (before < piece.length) {
      const chunkOffset = piece.chunkOffset + before;
      tail.push({ ...piece, length: piece.length - before, chunkOffset });
    }
    at += piece.length;
  }
  return { head, tail };
}
