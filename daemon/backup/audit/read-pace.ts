/**
 * How fast this site reads for those who ask: whoever asks most waits longest.
 *
 * An answer costs the asker a few bytes and the holder the reading of a whole shard. So each asker
 * has a bucket of bytes that fills at a fixed rate, all together have another one, and what is not in
 * them is waited for. 1 TiB asked for by three sites in a month takes 1.2 MiB/s.
 */
import type { Clock } from "../../core/clock.ts";

const MIB = 1024 * 1024;
/** For one asker, in bytes per second. */
const PEER_RATE = 8 * MIB;
/** For all of them. */
const ALL_RATE = 16 * MIB;
/** What may be read at once after a pause: a day's round of a small set. */
const BURST_BYTES = 64 * MIB;

interface Bucket {
  bytes: number;
  atMs: number;
}

export class ReadPace {
  readonly #clock: Clock;
  readonly #all: Bucket;
  readonly #peers = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#all = { bytes: BURST_BYTES, atMs: clock.monotonicMs() };
  }

  /** Resolves when so many bytes may be read for the asker. Calls of one asker follow one another. */
  async take(peer: string, sizeBytes: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    this.#forgetFull(nowMs);
    const bucket = this.#peers.get(peer) ?? { bytes: BURST_BYTES, atMs: nowMs };
    this.#peers.set(peer, bucket);
    const waitMs = Math.max(
      spend(bucket, sizeBytes, PEER_RATE, nowMs),
      spend(this.#all, sizeBytes, ALL_RATE, nowMs),
    );
    if (waitMs > 0) await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
  }

  #forgetFull(nowMs: number): void {
    for (const [peer, bucket] of this.#peers) {
      if (filled(bucket, PEER_RATE, nowMs) >= BURST_BYTES) this.#peers.delete(peer);
    }
  }
}

/** Takes bytes out, into debt if need be. @returns Milliseconds until the debt is paid. */
function spend(bucket: Bucket, sizeBytes: number, rate: number, nowMs: number): number {
  bucket.bytes = filled(bucket, rate, nowMs) - sizeBytes;
  bucket.atMs = nowMs;
  return bucket.bytes >= 0 ? 0 : (-bucket.bytes / rate) * 1000;
}

function filled({ bytes, atMs }: Bucket, rate: number, nowMs: number): number {
  return Math.min(BURST_BYTES, bytes + ((nowMs - atMs) / 1000) * rate);
}
