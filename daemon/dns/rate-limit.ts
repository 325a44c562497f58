/**
 * How many answers an address that may be forged gets: a flood in somebody's name must not become
 * a larger flood to him.
 *
 * Each network has a bucket of answers that fills at a rate. When it is empty, every second packet
 * gets a short answer that leads to TCP, which cannot be forged, and the others none: so less goes
 * out than came in. Networks are hashed into a table of fixed size under a seed of this process;
 * two that share a bucket only reach TCP earlier.
 *
 * Source: Vixie, Schryver: DNS Response Rate Limiting (ISC-TN-2012-1), simplified to one bucket a
 * network; RFC 7873 section 5.2.3 for the part of cookies.
 */
import { isLoopback } from "./client.ts";

export interface RateLimitOptions {
  /** Answers that a network gets without cookies, each second; also the size of its bucket. */
  readonly perSecond: number;
  /** Any number; unknown to others, so that nobody can aim at a bucket. */
  readonly seed: number;
}

/** "answer" in full; "short": nothing longer than the question; "none". */
export type Allowance = "answer" | "short" | "none";

/** 2^15 networks at once: 256 KiB. */
const BUCKETS = 32_768;
/** ISC-TN-2012-1 section 2.2.1: forged addresses of one victim come in networks of these sizes. */
const PREFIX_BYTES = { v4: 3, v6: 7 } as const;

export class RateLimit {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #seed: number;
  readonly #left = new Float32Array(BUCKETS);
  /** When the bucket was looked at last, in milliseconds since {@link RateLimit.#startMs}. */
  readonly #lastMs = new Float64Array(BUCKETS);
  #turn = false;

  constructor({ perSecond, seed }: RateLimitOptions) {
    this.#perMs = perSecond / 1000;
    this.#burst = perSecond;
    this.#seed = seed;
    this.#left.fill(perSecond);
  }

  /**
   * Takes one answer for an asker over UDP without a cookie.
   *
   * @param cost - What it counts for, above 0 and at most 1.
   */
  take(address: Uint8Array, nowMs: number, cost = 1): Allowance {
    if (isLoopback(address)) return "answer";
    const bucket = this.#bucketOf(address);
    const gained = Math.max(0, nowMs - (this.#lastMs[bucket] ?? 0)) * this.#perMs;
    const left = Math.min(this.#burst, (this.#left[bucket] ?? 0) + gained);
    this.#lastMs[bucket] = nowMs;
    if (left >= 1) {
      this.#left[bucket] = left - cost;
      return "answer";
    }
    this.#left[bucket] = left;
    this.#turn = !this.#turn;
    return this.#turn ? "short" : "none";
  }

  #bucketOf(address: Uint8Array): number {
    const size = address.length === 4 ? PREFIX_BYTES.v4 : PREFIX_BYTES.v6;
    let hash = this.#seed ^ size;
    for (let at = 0; at < size; at++) {
      hash = Math.imul(hash ^ (address[at] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return (hash >>> 0) % BUCKETS;
  }
}
