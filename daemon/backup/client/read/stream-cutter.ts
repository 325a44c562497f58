/**
 * Cuts a stream into chunks, as file-reader.ts does with a file, and gathers them in portions that
 * are worth a message to another thread.
 */
import { cutLength } from "../../../../protocol/backup/chunk-cut.ts";
import { MAX_CHUNK_BYTES } from "../../../../protocol/backup/chunk.ts";

const BUFFER_BYTES = 2 * MAX_CHUNK_BYTES;

/** Chunks one after another. */
export interface Portion {
  /** In memory of its own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lengths: Uint32Array;
}

export class StreamCutter {
  readonly #gear: Int32Array | undefined;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #filled = 0;

  /** @param gear - Cuts by content. Undefined: at each 4 MiB. */
  constructor(gear: Int32Array | undefined) {
    this.#gear = gear;
  }

  /** Takes bytes, which are copied, and gives a portion each time the buffer is full. */
  *add(bytes: Uint8Array): Generator<Portion> {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + this.#buffer.length - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#buffer.length) yield this.#cut(MAX_CHUNK_BYTES);
    }
  }

  /** The last portion; undefined when nothing is left. */
  end(): Portion | undefined {
    return this.#filled === 0 ? undefined : this.#cut(1);
  }

  /** @param least - Bytes that have to be there, so that the next cut does not depend on them. */
  #cut(least: number): Portion {
    const lengths: number[] = [];
    let start = 0;
    while (this.#filled - start >= least) {
      const length = this.#lengthAt(start);
      lengths.push(length);
      start += length;
    }
    const bytes = Uint8Array.from(this.#buffer.subarray(0, start));
    this.#buffer.copyWithin(0, start, this.#filled);
    this.#filled -= start;
    return { bytes, lengths: Uint32Array.from(lengths) };
  }

  #lengthAt(start: number): number {
    if (this.#gear === undefined) return Math.min(MAX_CHUNK_BYTES, this.#filled - start);
    return cutLength(this.#gear, this.#buffer, start, this.#filled);
  }
}
