/**
 * Reads one file in chunks: opened without following a link, holes left out, and looked at again
 * afterwards to see whether it changed meanwhile.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from "node:fs";
import { cutLength } from "../../../../protocol/backup/chunk-cut.ts";
import { MAX_CHUNK_BYTES } from "../../../../protocol/backup/chunk.ts";
import { release } from "../../../../protocol/backup/frame.ts";
import type { Extent } from "../../../../protocol/backup/tree.ts";
import { inodeOf } from "./stat-entry.ts";
import { dataRanges } from "../system-calls.ts";

/** A file is opened while it may be swapped for a pipe: never wait for one. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Room for the longest chunk, and for some more to read at once. */
const BUFFER_BYTES = MAX_CHUNK_BYTES + 1024 * 1024;
/** With so much at hand most chunks have their end in it; then nothing has to be moved. */
const LOOK_BYTES = MAX_CHUNK_BYTES / 2;
/** st_blocks counts in this unit, whatever the file system. */
const BLOCK_BYTES = 512;

/**
 * Before 6.13 Linux dates files by a clock that moves at each tick, of 10 ms at most. Two writes
 * within a tick leave one date, so a file that was written just now is read when the tick is over.
 */
const TICK_MS = 20;
const NANOS_PER_MS = 1_000_000n;
const clock = new Int32Array(new SharedArrayBuffer(4));

/** What was expected when the directory was walked. */
export interface ExpectedFile {
  readonly path: Uint8Array;
  readonly sizeBytes: number;
  readonly inode: number;
}

export interface ReadFile {
  /** Size of the file as it was read. */
  readonly sizeBytes: number;
  readonly extents: readonly Extent[] | undefined;
  /** It is not the file that was expected, or it changed while it was read. */
  readonly changed: boolean;
}

export class FileReader {
  readonly #gear: Int32Array | undefined;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

  /**
   * @param gear - Cuts by content. Undefined: at each 4 MiB of the file, as suits an image of a
   *   disk, where blocks change in place and nothing is inserted.
   */
  constructor(gear: Int32Array | undefined) {
    this.#gear = gear;
  }

  /**
   * Gives each chunk of the file to `onChunk`, which must be done with it when it returns.
   *
   * @throws the error of `node:fs` or SystemError when the file cannot be opened or read.
   */
  read(file: ExpectedFile, onChunk: (chunk: Uint8Array) => void): ReadFile {
    const fd = openSync(Buffer.from(file.path), READ_FLAGS);
    try {
      const before = fstatSync(fd, { bigint: true });
      if (!before.isFile()) {
        throw Object.assign(new Error("is no longer a file"), { code: "ECHANGED" });
      }
      waitForTick(before.ctimeNs);
      const sizeBytes = Number(before.size);
      const extents = isSparse(before) ? dataRanges(fd, sizeBytes) : undefined;
      const ranges = extents ?? [{ offset: 0, length: sizeBytes }];
      const whole =
        this.#gear === undefined
          ? this.#readCells(fd, ranges, onChunk)
          : this.#readRanges(fd, ranges, this.#gear, onChunk);
      const changed = !whole || hasChanged(file, before, fstatSync(fd, { bigint: true }));
      return { sizeBytes, extents, changed };
    } finally {
      closeSync(fd);
    }
  }

  /** Gives its memory back. Nothing can be read afterwards. */
  end(): void {
    release(this.#buffer);
  }

  /** False when the file ended early; zeros stand for what is missing, so that sizes are true. */
  #readRanges(
    fd: number,
    ranges: readonly Extent[],
    gear: Int32Array,
    onChunk: (chunk: Uint8Array) => void,
  ): boolean {
    const buffer = this.#buffer;
    let whole = true;
    let [start, end] = [0, 0];
    const cutAll = (last: boolean): void => {
      while (last ? end > start : end - start >= LOOK_BYTES) {
        const length = cutLength(gear, buffer, start, end);
        // Up to the end of what is at hand there is no cut: more has to be read first.
        if (!last && length === end - start && length < MAX_CHUNK_BYTES) return;
        onChunk(buffer.subarray(start, start + length));
        start += length;
      }
    };
    for (const { offset, length } of ranges) {
      for (let done = 0; done < length;) {
        if (end === buffer.length) {
          buffer.copyWithin(0, start, end);
          end -= start;
          start = 0;
        }
        const wanted = Math.min(length - done, buffer.length - end);
        const got = readSync(fd, buffer, end, wanted, offset + done);
        if (got === 0) {
          whole = false;
          buffer.fill(0, end, end + wanted);
        }
        done += got === 0 ? wanted : got;
        end += got === 0 ? wanted : got;
        cutAll(false);
      }
    }
    cutAll(true);
    return whole;
  }

  /**
   * A chunk for the data of each cell of 4 MiB of the file: a hole that comes or goes in one cell
   * moves no cut in another.
   */
  #readCells(fd: number, ranges: readonly Extent[], onChunk: (chunk: Uint8Array) => void): boolean {
    const buffer = this.#buffer;
    let whole = true;
    let [cell, end] = [0, 0];
    const emit = (): void => {
      if (end > 0) onChunk(buffer.subarray(0, end));
      end = 0;
    };
    for (const { offset, length } of ranges) {
      for (let at = offset; at < offset + length;) {
        const here = Math.floor(at / MAX_CHUNK_BYTES);
        if (here !== cell) emit();
        cell = here;
        const wanted = Math.min(offset + length, (here + 1) * MAX_CHUNK_BYTES) - at;
        const got = readSync(fd, buffer, end, wanted, at);
        if (got === 0) {
          whole = false;
          buffer.fill(0, end, end + wanted);
        }
        end += got === 0 ? wanted : got;
        at += got === 0 ? wanted : got;
      }
    }
    emit();
    return whole;
  }
}

type Seen = Pick<BigIntStats, "ino" | "size" | "mtimeNs" | "ctimeNs">;

/** Whether it is another file than expected, or another one after it was read than before. */
export function hasChanged(
  { inode, sizeBytes }: Pick<ExpectedFile, "inode" | "sizeBytes">,
  before: Seen,
  after: Seen,
): boolean {
  return (
    inodeOf(before) !== inode ||
    Number(before.size) !== sizeBytes ||
    after.size !== before.size ||
    after.mtimeNs !== before.mtimeNs ||
    after.ctimeNs !== before.ctimeNs
  );
}

/** A date of the future says nothing of when the file was written. */
function waitForTick(ctimeNs: bigint): void {
  const ageMs = Date.now() - Number(ctimeNs / NANOS_PER_MS);
  if (ageMs >= 0 && ageMs < TICK_MS) Atomics.wait(clock, 0, 0, TICK_MS - ageMs);
}

function isSparse(stat: BigIntStats): boolean {
  return Number(stat.blocks) * BLOCK_BYTES < Number(stat.size);
}
