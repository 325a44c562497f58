/** Where the content of a file lies: the pieces of its chunks, in the order of the file. */
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import type { FileEntry } from "../../../../protocol/backup/tree.ts";
import { dataBytes } from "../read/content-plan.ts";
import type { ChunkLocator, PiecePlace } from "../seal/chunk-locator.ts";
import { contradiction } from "../shard-reader.ts";

export interface FilePiece {
  readonly place: PiecePlace;
  readonly chunkId: Uint8Array;
  /** Where in the data of the file the piece begins. */
  readonly dataOffset: number;
}

/** @throws BackupError when a chunk is nowhere, or they are not as long as the file. */
export function piecesOf(entry: FileEntry, locator: ChunkLocator): FilePiece[] {
  const pieces: FilePiece[] = [];
  let dataOffset = 0;
  for (let at = 0; at < entry.chunks.length; at += CHUNK_ID_BYTES) {
    const chunkId = entry.chunks.subarray(at, at + CHUNK_ID_BYTES);
    for (const place of locator.find(chunkId)) {
      pieces.push({ place, chunkId, dataOffset });
      dataOffset += place.length;
    }
  }
  if (dataOffset !== dataBytes(entry)) {
    throw contradiction("The chunks of a file are not as long as the file.");
  }
  return pieces;
}
