/**
 * The content of a frame: packed chunks, compressed where that helps.
 *
 * zstd runs over the packed content, so that small files compress together.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { FrameCodec } from "./shard-table.ts";

/** The level that the field compares itself at. */
export const ZSTD_LEVEL = 3;

export interface FrameContent {
  readonly codec: FrameCodec;
  readonly content: Uint8Array;
}

/** Compresses, or keeps the bytes (a copy) where zstd does not make them shorter. */
export function packFrame(plaintext: Uint8Array): FrameContent {
  const content = zstdCompressSync(plaintext, {
    // One buffer for the result, the worst case of zstd included.
    chunkSize: plaintext.length + (plaintext.length >> 8) + 1024,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
  });
  if (content.length < plaintext.length) return { codec: "zstd", content };
  release(content);
  return { codec: "stored", content: Uint8Array.from(plaintext) };
}

/**
 * The plaintext, or undefined when the content is damaged or has another length than declared.
 * Never allocates more than the declared length.
 */
export function unpackFrame(
  codec: FrameCodec,
  content: Uint8Array,
  plainLength: number,
): Uint8Array | undefined {
  if (codec === "stored") return content.length === plainLength ? content : undefined;
  try {
    const plaintext = zstdDecompressSync(content, {
      chunkSize: Math.max(plainLength, 64),
      maxOutputLength: plainLength,
    });
    return plaintext.length === plainLength ? plaintext : undefined;
  } catch {
    return undefined;
  }
}

/** Less is not worth a call. */
const LEAST_RELEASED_BYTES = 4096;

/**
 * Gives the memory of a large buffer back at once. The buffer is empty afterwards.
 *
 * The collector of V8 lets some 64 MiB of dead buffers gather in each thread before it looks;
 * with one thread for each core that would be most of what a backup may use.
 */
export function release(buffer: Uint8Array): void {
  const { buffer: memory, byteOffset, byteLength } = buffer;
  if (!(memory instanceof ArrayBuffer) || byteLength < LEAST_RELEASED_BYTES) return;
  // A buffer that is a part of its memory may lie in the pool that others use.
  const isPooled = byteLength !== memory.byteLength && memory.byteLength <= Buffer.poolSize;
  if (byteOffset === 0 && !isPooled) memory.transfer(0);
}
