/**
 * Memory for large bodies, which the next one uses again.
 *
 * A backup sends a shard of 4 MiB twenty times a second. With memory of its own for each, V8 saw
 * its outside memory grow and collected the whole heap of the daemon every few shards: that was
 * half of what a backup cost the daemon.
 */
import { release } from "../../protocol/backup/frame.ts";

/** A client has two shards under way for each of its threads. */
const MAX_KEPT = 4;
/** Kept between the shards of one run, and no longer. */
const IDLE_MS = 5000;

export class BodyMemory {
  readonly #sizeBytes: number;
  #free: Uint8Array[] = [];
  #forget: NodeJS.Timeout | undefined;

  /** @param sizeBytes - Of the longest body. */
  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** What is in it is of earlier bodies. @param sizeBytes - Not above the longest. */
  take(sizeBytes: number): Uint8Array {
    if (sizeBytes > this.#sizeBytes) throw new RangeError(`a body of ${sizeBytes} bytes`);
    const memory = this.#free.pop() ?? new Uint8Array(this.#sizeBytes);
    return memory.subarray(0, sizeBytes);
  }

  /** @param body - As it was taken; nobody may use it from now on. */
  giveBack(body: Uint8Array): void {
    const memory = new Uint8Array(body.buffer);
    if (this.#free.length >= MAX_KEPT) return release(memory);
    this.#free.push(memory);
    this.#forget ??= setTimeout(() => this.#release(), IDLE_MS).unref();
    this.#forget.refresh();
  }

  #release(): void {
    this.#forget = undefined;
    for (const memory of this.#free.splice(0)) release(memory);
  }
}
