/**
 * Packs and unpacks frames, one after another, in memory that is used again.
 *
 * The same bytes as packFrame and unpackFrame of protocol/backup/frame.ts, which make a context of zstd
 * and a buffer for each frame. Over a backup that is gigabytes of short-lived memory, which the
 * kernel has to fill with zeros and the collector has to find.
 */
import {
  ZSTD_LEVEL,
  packFrame,
  release,
  unpackFrame,
  type FrameContent,
} from "../../../../protocol/backup/frame.ts";
import type { FrameCodec as CodecName } from "../../../../protocol/backup/shard-table.ts";
import { ownFunctions } from "../own-functions.ts";

const zstd = ownFunctions({
  createC: "void *ZSTD_createCCtx()",
  createD: "void *ZSTD_createDCtx()",
  compress:
    "size_t ZSTD_compressCCtx(void *ctx, void *into, size_t room, void *from, size_t size, int level)",
  decompress:
    "size_t ZSTD_decompressDCtx(void *ctx, void *into, size_t room, void *from, size_t size)",
});

/**
 * Where level 3 gains nothing: on numbers without repetition it takes three times as long as level
 * 1 and its result is longer (200 MB of the large files of scripts/bench/backup: 1.2 s and
 * 125.2 MB against 0.4 s and 123.6 MB). Text gets 7 % shorter with it.
 */
const FAST_LEVEL = 1;
/** Parts of a frame that make a sample, evenly spread, for a frame may hold many small files. */
const SAMPLE_PARTS = 4;
const PART_BYTES = 32 * 1024;
const SAMPLE_BYTES = SAMPLE_PARTS * PART_BYTES;
/** At most so many frames go by without a sample, which takes a tenth of the time of a frame. */
const MAX_TRUST = 15;

export class FrameCodec {
  #into: Uint8Array;
  readonly #sample = new Uint8Array(SAMPLE_BYTES);
  #level = ZSTD_LEVEL;
  /** Frames that take the level of the last sample, now and after the next one that agrees. */
  #framesToSample = 0;
  #trust = 0;
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
    const length = this.#compress(plaintext, this.#levelFor(plaintext));
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

  #levelFor(plaintext: Uint8Array): number {
    if (plaintext.length < 4 * SAMPLE_BYTES) return ZSTD_LEVEL;
    if (this.#framesToSample > 0) {
      this.#framesToSample -= 1;
      return this.#level;
    }
    const sample = this.#sampleOf(plaintext);
    const pays = this.#compress(sample, ZSTD_LEVEL) < this.#compress(sample, FAST_LEVEL);
    const level = pays ? ZSTD_LEVEL : FAST_LEVEL;
    this.#trust = level === this.#level ? Math.min(2 * this.#trust + 1, MAX_TRUST) : 0;
    this.#framesToSample = this.#trust;
    this.#level = level;
    return level;
  }

  #sampleOf(plaintext: Uint8Array): Uint8Array {
    const step = Math.floor(plaintext.length / SAMPLE_PARTS);
    for (let part = 0; part < SAMPLE_PARTS; part++) {
      const from = part * step;
      this.#sample.set(plaintext.subarray(from, from + PART_BYTES), part * PART_BYTES);
    }
    return this.#sample;
  }

  /** @returns The length in {@link #into}, or, after an error, a number near 2^64. */
  #compress(plaintext: Uint8Array, level: number): number {
    const into = this.#into;
    const { length } = plaintext;
    const given = [this.#compressor, into, into.length, plaintext, length, level];
    return Number(zstd?.compress(...given));
  }

  #keep({ codec, content }: FrameContent): FrameContent {
    const { length } = content;
    this.#into.set(content);
    // Empty from now on.
    release(content);
    return { codec, content: this.#into.subarray(0, length) };
  }
}

/** ZSTD_compressBound, on the safe side. */
function boundOf(plainBytes: number): number {
  return plainBytes + (plainBytes >> 8) + 1024;
}
