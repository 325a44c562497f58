/**
 * The table of contents of a shard: its frames, and which pieces of which chunks lie in them.
 *
 * Frames follow one another without a gap, and so do the pieces of a frame, so only lengths are
 * written. A chunk that did not fit a shard goes on in another one; such a piece says where in
 * its chunk it lies. The same bytes stand, sealed, at the end of the shard and in the index
 * (chunk-index.ts).
 *
 * CBOR `{v: 1, frames: [[kind, codec, sealed, plain, pieces]…], ids, lengths, parts: [[piece,
 * offset in chunk, chunk length]…]}` with `ids` = 32 bytes and `lengths` = uint32 BE a piece.
 */
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import {
  CHUNK_ID_BYTES,
  MAX_CHUNK_BYTES,
  MAX_TREE_CHUNK_BYTES,
  chunkKindCode,
  chunkKindOf,
} from "./chunk.ts";
import type { ChunkKind } from "./chunk.ts";
import { HEADER_BYTES, ShardError } from "./shard.ts";
import { SHARD_BYTES } from "./shard-id.ts";

/** How the content of a frame is written. */
export type FrameCodec = "stored" | "zstd";

/** Plaintext of one frame is at most this long, so that opening one is bounded. */
export const MAX_FRAME_PLAIN_BYTES = 4 * 1024 * 1024;
/** A sealed frame is this much longer than its content: nonce and tag. */
export const FRAME_OVERHEAD_BYTES = 40;
/** Sealed: the offset of the table and the number of frames. */
export const LEAD_BYTES = FRAME_OVERHEAD_BYTES + 8;
/** Where the first frame begins. */
export const FRAMES_OFFSET = HEADER_BYTES + LEAD_BYTES;
/** Before the table stands its length, so that the padding behind it can be told from it. */
export const TABLE_LENGTH_BYTES = 4;

const MAX_FRAMES = 4096;
const CODECS: readonly FrameCodec[] = ["stored", "zstd"];

export interface TablePiece {
  readonly chunkId: Uint8Array;
  /** Length of the piece in bytes, 1 or more: an empty file has no chunk. */
  readonly length: number;
  /** Where in its chunk the piece begins. */
  readonly chunkOffset: number;
  /** Length of the whole chunk. Equal to `length` when the piece is all of it. */
  readonly chunkLength: number;
}

export interface TableFrame {
  readonly kind: ChunkKind;
  readonly codec: FrameCodec;
  /** Length in the shard, nonce and tag included. */
  readonly sealedLength: number;
  readonly plainLength: number;
  /** In the order in which they lie in the frame; their lengths add up to `plainLength`. */
  readonly pieces: readonly TablePiece[];
}

/** The most bytes that a table of so many frames and pieces can take. */
export function tableBound(frames: number, pieces: number, parts: number): number {
  return 64 + frames * 18 + pieces * (CHUNK_ID_BYTES + 4) + parts * 16;
}

export function encodeTable(frames: readonly TableFrame[]): Uint8Array {
  const count = frames.reduce((sum, { pieces }) => sum + pieces.length, 0);
  const ids = new Uint8Array(count * CHUNK_ID_BYTES);
  const lengths = new Uint8Array(count * 4);
  const view = new DataView(lengths.buffer);
  const parts: CborValue[] = [];
  let at = 0;
  for (const { pieces } of frames) {
    for (const { chunkId, length, chunkOffset, chunkLength } of pieces) {
      ids.set(chunkId, at * CHUNK_ID_BYTES);
      view.setUint32(at * 4, length);
      if (length !== chunkLength) parts.push([at, chunkOffset, chunkLength]);
      at += 1;
    }
  }
  return encodeCbor({
    v: 1,
    frames: frames.map(({ kind, codec, sealedLength, plainLength, pieces }) => [
      chunkKindCode(kind),
      CODECS.indexOf(codec),
      sealedLength,
      plainLength,
      pieces.length,
    ]),
    ids,
    lengths,
    parts,
  });
}

/** @throws ShardError when the bytes are no table, or one that contradicts itself. */
export function decodeTable(bytes: Uint8Array): readonly TableFrame[] {
  const value = field(decodeCbor(bytes, SHARD_BYTES));
  const { v, frames, ids, lengths, parts } = value;
  if (v !== 1 || Object.keys(value).length !== 5) throw broken("version");
  if (!Array.isArray(frames) || frames.length > MAX_FRAMES) throw broken("frames");
  if (!(ids instanceof Uint8Array) || !(lengths instanceof Uint8Array)) throw broken("pieces");
  const count = ids.length / CHUNK_ID_BYTES;
  if (lengths.length !== count * 4 || !Array.isArray(parts)) throw broken("pieces");
  const partOf = new Map(parts.map(readPart));
  const view = new DataView(lengths.buffer, lengths.byteOffset);
  let at = 0;
  const decoded = frames.map((given: CborValue): TableFrame => {
    const frame = readFrame(given);
    if (at + frame.count > count) throw broken("pieces");
    const maxChunk = frame.kind === "tree" ? MAX_TREE_CHUNK_BYTES : MAX_CHUNK_BYTES;
    let plain = 0;
    const pieces = Array.from({ length: frame.count }, (): TablePiece => {
      const length = view.getUint32(at * 4);
      const part = partOf.get(at);
      const { chunkOffset, chunkLength } = part ?? { chunkOffset: 0, chunkLength: length };
      if (length === 0 || chunkLength > maxChunk) throw broken("piece");
      if (chunkOffset + length > chunkLength) throw broken("piece");
      if (part !== undefined && length === chunkLength) throw broken("piece");
      const chunkId = ids.subarray(at * CHUNK_ID_BYTES, (at + 1) * CHUNK_ID_BYTES);
      at += 1;
      plain += length;
      return { chunkId, length, chunkOffset, chunkLength };
    });
    if (plain !== frame.plainLength) throw broken("lengths");
    const { kind, codec, sealedLength, plainLength } = frame;
    return { kind, codec, sealedLength, plainLength, pieces };
  });
  if (at !== count) throw broken("pieces");
  return decoded;
}

function readFrame(value: CborValue): Omit<TableFrame, "pieces"> & { readonly count: number } {
  if (!Array.isArray(value) || value.length !== 5) throw broken("frame");
  const [code, codecCode, sealedLength, plainLength, count] = (value as CborValue[]).map(readCount);
  const kind = chunkKindOf(code ?? -1);
  const codec = CODECS[codecCode ?? -1];
  if (kind === undefined || codec === undefined) throw broken("frame");
  if (sealedLength === undefined || plainLength === undefined || count === undefined) {
    throw broken("frame");
  }
  if (sealedLength < FRAME_OVERHEAD_BYTES || sealedLength > SHARD_BYTES) throw broken("frame");
  if (plainLength > MAX_FRAME_PLAIN_BYTES) throw broken("frame");
  if (codec === "stored" && plainLength !== sealedLength - FRAME_OVERHEAD_BYTES) {
    throw broken("frame");
  }
  return { kind, codec, sealedLength, plainLength, count };
}

function readPart(
  value: CborValue,
): [piece: number, part: { readonly chunkOffset: number; readonly chunkLength: number }] {
  if (!Array.isArray(value) || value.length !== 3) throw broken("part");
  const [piece = 0, chunkOffset = 0, chunkLength = 0] = (value as CborValue[]).map(readCount);
  return [piece, { chunkOffset, chunkLength }];
}

function readCount(value: CborValue): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw broken("count");
  return value;
}

function field(value: CborValue): { readonly [key: string]: CborValue } {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw broken("form");
  if (value instanceof Uint8Array) throw broken("form");
  return value as { readonly [key: string]: CborValue };
}

function broken(what: string): ShardError {
  return new ShardError("E-SHARD-FORM", `A table of contents is malformed (${what}).`);
}
