/**
 * Answers of other servers, kept for their questions as long as they last, and longer for the time
 * when nobody answers.
 *
 * Bounded by bytes. What was asked for once is given up before what was asked for again, so a client
 * that asks for a million names drives out nothing that others use.
 *
 * Source: Karedla, Love, Wherry: Caching strategies to improve disk system performance. Computer
 * 27(3), 1994 (segmented LRU); RFC 8767 for what has expired.
 */
import { keptSeconds, sizeOf, type Resolution } from "./resolution.ts";

export interface CacheLimits {
  /** What all entries take together, as {@link sizeOf} counts. */
  readonly maxBytes: number;
  /** How long an answer is kept behind its end; 0: not at all. */
  readonly staleMs: number;
}

export interface CacheEntry {
  readonly resolution: Resolution;
  readonly storedAtMs: number;
  /** From here on it is stale. */
  readonly endsAtMs: number;
  readonly sizeBytes: number;
  /** How often it has answered. */
  uses: number;
}

/** Where what was asked for again may take so much of the room. */
const USED_SHARE = 0.8;

export class AnswerCache {
  readonly #limits: CacheLimits;
  /** In the order in which they go: of entries that were asked for once, and of all others. */
  readonly #once = new Map<string, CacheEntry>();
  readonly #again = new Map<string, CacheEntry>();
  #onceBytes = 0;
  #againBytes = 0;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#once.size + this.#again.size;
  }

  get sizeBytes(): number {
    return this.#onceBytes + this.#againBytes;
  }

  /** What was kept for the question, fresh or stale; counted as one use of it. */
  find(key: string, nowMs: number): CacheEntry | undefined {
    const entry = this.#again.get(key) ?? this.#once.get(key);
    if (entry === undefined) return undefined;
    this.#remove(key);
    if (nowMs >= entry.endsAtMs + this.#limits.staleMs) return undefined;
    entry.uses += 1;
    this.#again.set(key, entry);
    this.#againBytes += entry.sizeBytes;
    this.#demote();
    return entry;
  }

  /** Keeps an answer in place of the one before. One that takes a fourth of the room is not kept. */
  keep(key: string, type: number, resolution: Resolution, nowMs: number): void {
    const sizeBytes = sizeOf(resolution) + key.length;
    const wasUsed = this.#again.has(key);
    this.#remove(key);
    if (sizeBytes * 4 > this.#limits.maxBytes) return;
    const endsAtMs = nowMs + keptSeconds(resolution, type) * 1000;
    const entry = { resolution, storedAtMs: nowMs, endsAtMs, sizeBytes, uses: 0 };
    (wasUsed ? this.#again : this.#once).set(key, entry);
    if (wasUsed) this.#againBytes += sizeBytes;
    else this.#onceBytes += sizeBytes;
    this.#demote();
    this.#shrink();
  }

  #remove(key: string): void {
    const used = this.#again.get(key);
    if (used !== undefined && this.#again.delete(key)) this.#againBytes -= used.sizeBytes;
    const once = this.#once.get(key);
    if (once !== undefined && this.#once.delete(key)) this.#onceBytes -= once.sizeBytes;
  }

  /** What was used longest ago goes back among those that were asked for once. */
  #demote(): void {
    for (const [key, entry] of this.#again) {
      if (this.#againBytes <= this.#limits.maxBytes * USED_SHARE) return;
      this.#again.delete(key);
      this.#againBytes -= entry.sizeBytes;
      this.#once.set(key, entry);
      this.#onceBytes += entry.sizeBytes;
    }
  }

  #shrink(): void {
    for (const key of this.#once.keys()) {
      if (this.sizeBytes <= this.#limits.maxBytes) return;
      this.#remove(key);
    }
  }
}
