/**
 * Chunks: the pieces of plaintext that a data set is made of, and their names.
 *
 * `chunkId = HMAC-SHA256(K_id of the kind, plaintext)`. The key keeps a holder, and anyone who
 * sees an identifier, from asking whether a known file is in the backup; one key for each kind
 * keeps the bytes of a file from passing for a directory.
 */
import { createHmac, type KeyObject } from "node:crypto";

/** What a chunk, and the frame that carries it, is made of. */
export type ChunkKind =
  | "data" // bytes of files
  | "tree" // part of a directory; see tree.ts
  | "index" // tables of shards; see chunk-index.ts
  | "snapshot"; // a snapshot record; see snapshot.ts

export const CHUNK_KINDS: readonly ChunkKind[] = ["data", "tree", "index", "snapshot"];

export const CHUNK_ID_BYTES = 32;
/** No chunk is longer, but for those of trees. */
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
/**
 * A tree chunk holds one entry at least, and an entry names all chunks of its file: 32 bytes for
 * each MiB or so. This is enough for a file of 2 TiB.
 */
export const MAX_TREE_CHUNK_BYTES = 64 * 1024 * 1024;

/** The number that stands for the kind in a sealed frame. */
export function chunkKindCode(kind: ChunkKind): number {
  return 16 + CHUNK_KINDS.indexOf(kind);
}

/** The kind of a code, or undefined. */
export function chunkKindOf(code: number): ChunkKind | undefined {
  return CHUNK_KINDS[code - 16];
}

/** @param key - K_id of the kind; see set-keys.ts. */
export function chunkIdOf(key: KeyObject, plaintext: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(plaintext).digest();
}
