/** Sends messages one after another, and a sign of life when there was none for a while. */
import type { Clock } from "../../../core/clock.ts";
import type { Channel } from "../../../core/transport.ts";

/** A peer that hears nothing for {@link SILENCE_MS} gives up; this is well below. */
const KEEP_ALIVE_MS = 15_000;
export const SILENCE_MS = 60_000;

export class Outbox {
  readonly #channel: Channel;
  readonly #clock: Clock;
  readonly #signOfLife: Uint8Array;
  #tail: Promise<void> = Promise.resolve();
  readonly #onGone: () => void;
  #stopTimer: () => void = () => {};
  #quiet = false;

  /** @param onGone - Called when a sign of life cannot be sent: nobody is there to wait for. */
  constructor(
    channel: Channel,
    clock: Clock,
    signOfLife: Uint8Array,
    onGone: () => void = () => {},
  ) {
    this.#channel = channel;
    this.#clock = clock;
    this.#signOfLife = signOfLife;
    this.#onGone = onGone;
    this.#arm();
  }

  /** Resolves when the transport took the frames; they stay together. */
  send(...frames: readonly Uint8Array[]): Promise<void> {
    const work = this.#tail.then(async () => {
      for (const frame of frames) await this.#channel.send(frame);
      if (!this.#quiet) this.#arm();
    });
    // The next sender must not fail for this one's reason; whoever waits for this one hears it.
    this.#tail = work.catch(() => {});
    return work;
  }

  /** No signs of life while raw bytes are under way, nor after the end. */
  quiet(quiet: boolean): void {
    this.#quiet = quiet;
    if (quiet) this.#stopTimer();
    else this.#arm();
  }

  #arm(): void {
    this.#stopTimer();
    this.#stopTimer = this.#clock.after(KEEP_ALIVE_MS, () => {
      this.send(this.#signOfLife).catch(() => this.#onGone());
    });
  }
}
