/** Holds a sender up while more is under way to a peer than the line takes in half a second. */
import type { Clock } from "../../core/clock.ts";
import { frameBytes, MIN_SAMPLE_MS, nextWindow } from "../../core/flow.ts";

/** Doubles within a few samples on a fast line; on a slow one it is half a second at 1 Mbit/s. */
const FIRST_WINDOW_BYTES = 64 * 1024;

export class FlowGate {
  readonly #clock: Clock;
  #windowBytes = FIRST_WINDOW_BYTES;
  #sentBytes = 0;
  #ackedBytes = 0;
  #sampleStartMs: number;
  #sampleAckedBytes = 0;
  #wasFull = false;
  #waiting: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sampleStartMs = clock.monotonicMs();
  }

  /** Bytes for the next frame. */
  get frameBytes(): number {
    return frameBytes(this.#windowBytes);
  }

  /** Everything that was ever handed to the channel. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /** @param totalBytes - What the peer has received on this channel so far. */
  acked(totalBytes: number): void {
    if (totalBytes <= this.#ackedBytes || totalBytes > this.#sentBytes) return;
    this.#ackedBytes = totalBytes;
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#sampleStartMs;
    if (elapsedMs >= MIN_SAMPLE_MS) {
      const bytes = totalBytes - this.#sampleAckedBytes;
      this.#windowBytes = nextWindow(this.#windowBytes, bytes, elapsedMs, this.#wasFull);
      this.#sampleStartMs = nowMs;
      this.#sampleAckedBytes = totalBytes;
      this.#wasFull = false;
    }
    if (this.#hasRoom()) this.#waiting?.();
  }

  /** Resolves when another frame may be sent. The caller bounds the wait by its reader's. */
  async room(): Promise<void> {
    while (!this.#hasRoom()) {
      this.#wasFull = true;
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
      this.#waiting = undefined;
    }
  }

  /** Lets a waiting sender go, because the channel is gone. */
  release(): void {
    this.#ackedBytes = this.#sentBytes;
    this.#waiting?.();
  }

  #hasRoom(): boolean {
    return this.#sentBytes - this.#ackedBytes < this.#windowBytes;
  }
}
