/**
 * Packs and unpacks frames, one after another, in memory that is used again.
 *
 * The same bytes as packFrame and unpackFrame of protocol/frame.ts, which make a context of zstd
 * and a buffer for each frame. Over a backup that is gigabytes of short-lived memory, which the
 * kernel has to fill with zeros and the collector has to find.
 */
import {
  ZSTD_LEVEL,
  packFrame,
  release,
  unpackFrame,
  type FrameContent,
} from "../../../protocol/frame.ts";
import type { FrameCodec as CodecName } from "../../../protocol/shard-table.ts";
import { ownFunctions } from "./own-functions.ts";

const zstd = ownFunctions({
  createC: "void *ZSTD_createCCtx()",
  createD: "void *ZSTD_createDCtx()",
  compress:
    "size_t ZSTD_compressCCtx(void *ctx, void *into, size_t room, void *from, size_t size, int level)",
  decompress:
    "size_t ZSTD_decompressDCtx(void *ctx, void *into, size_t room, void *from, size_t size)",
});

export class FrameCodec {
  #into: Uint8Array;
  readonly #compressor: unknown;
  readonly #decompressor: unknown;

  /** @param plainBytes - The usual length of frames; longer ones take more memory. */
  constructor(plainBytes: number) {
    this.#into = new Uint8Array(boundOf(plainBytes));
    this.#compressor = zstd?.createC();
    this.#decompressor = zstd?.createD();
  }

  /** Compresses where that helps. The content is valid until the next call. */
  pack(plaintext: Uint8Array): FrameContent {
    const bound = boundOf(plaintext.length);
    if (bound > this.#into.length) this.#into = new Uint8Array(bound);
    const into = this.#into;
    if (zstd === undefined) return this.#keep(packFrame(plaintext));
    const outcome = zstd.compress(
      this.#compressor,
      into,
      into.length,
      plaintext,
      plaintext.length,
      ZSTD_LEVEL,
    );
    // An error is a number near 2^64.
    const length = Number(outcome);
    if (length < plaintext.length) return { codec: "zstd", content: into.subarray(0, length) };
    into.set(plaintext);
    return { codec: "stored", content: into.subarray(0, plaintext.length) };
  }

  /**
   * The plaintext, valid until the next call, or undefined when the content is damaged or has
   * another length than declared.
   */
  unpack(codec: CodecName, content: Uint8Array, plainLength: number): Uint8Array | undefined {
    if (codec === "stored" || zstd === undefined || plainLength > this.#into.length) {
      return unpackFrame(codec, content, plainLength);
    }
    const into = this.#into;
    const outcome = zstd.decompress(this.#decompressor, into, plainLength, content, content.length);
    return Number(outcome) === plainLength ? into.subarray(0, plainLength) : undefined;
  }

  #keep({ codec, content }: FrameContent): FrameContent {
    this.#into.set(content);
    release(content);
    return { codec, content: this.#into.subarray(0, content.length) };
  }
}

/** ZSTD_compressBound, on the safe side. */
function boundOf(plainBytes: number): number {
  return plainBytes + (plainBytes >> 8) + 1024;
}
