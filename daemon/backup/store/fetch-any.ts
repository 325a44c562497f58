/**
 * Gets a shard for a person who waits for it: from whichever holder brings it the soonest.
 *
 * Several shards are asked for at once, and holders get them by their measured speed. A holder that
 * is much slower than another one is free, or says nothing for a while, is left in the middle of a
 * shard: another one goes on at the next range. A holder that gives what is not the shard is named
 * in the log and asked last from then on.
 */
import { isWorthChanging, orderSources, type Source } from "../../core/source-choice.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { areRootsOf, isRange, rangeBytesAt } from "../../../protocol/shard-ranges.ts";
import { BackupError } from "./error.ts";
import { fetchRanges, type FetchHolder, type RangeTarget } from "./fetch.ts";
import { SILENCE_MS } from "./outbox.ts";
import type { RangeSink } from "./read-ranges.ts";
import type { ShardName } from "./shard-store.ts";

/** While another holder is left to ask, one that says nothing for so long is left. */
const SHORT_SILENCE_MS = 10_000;
/** Of the speed that is known, so much comes from what was measured before. */
const MEMORY_RATIO = 0.5;

interface Speed {
  underWay: number;
  bytesPerSecond: number | undefined;
  isDistrusted: boolean;
}

/** Thrown within a fetch to go on with another holder. */
class Changed extends Error {}

export class ShardFetcher {
  readonly #holder: FetchHolder;
  readonly #speeds = new Map<SiteId, Speed>();

  constructor(holder: FetchHolder) {
    this.#holder = holder;
  }

  /** The verified shard, or undefined when none of these sites gives it. */
  async fetch(name: ShardName, sites: readonly SiteId[]): Promise<Uint8Array | undefined> {
    const memory = new MemoryShard(name);
    const left = new Set(sites);
    /** Each may be left once for a faster one; then it is asked in earnest. */
    const leftOnce = new Set<SiteId>();
    while (left.size > 0) {
      const [site] = orderSources([...left].map((one) => this.#source(one)));
      if (site === undefined) break;
      const others = [...left].filter((one) => one !== site);
      const mayLeave = others.length > 0 && !leftOnce.has(site);
      const outcome = await this.#ask(site, name, memory, mayLeave ? others : []);
      if (outcome === "whole") return memory.bytes;
      if (outcome === "left" && mayLeave) leftOnce.add(site);
      else left.delete(site);
    }
    return undefined;
  }

  async #ask(
    site: SiteId,
    name: ShardName,
    memory: MemoryShard,
    others: readonly SiteId[],
  ): Promise<"whole" | "left" | "failed"> {
    const { log, clock } = this.#holder;
    const speed = this.#speed(site);
    speed.underWay++;
    let sinceMs = clock.monotonicMs();
    const onRange = (sizeBytes: number): void => {
      const nowMs = clock.monotonicMs();
      const seconds = Math.max(1, nowMs - sinceMs) / 1000;
      const measured = (sizeBytes / seconds) * speed.underWay;
      const before = speed.bytesPerSecond ?? measured;
      speed.bytesPerSecond = before * MEMORY_RATIO + measured * (1 - MEMORY_RATIO);
      sinceMs = nowMs;
      const sources = others.map((other) => this.#source(other));
      if (memory.nextBytes > 0 && isWorthChanging(this.#source(site), sources)) throw new Changed();
    };
    const why = "restore";
    const silenceMs = others.length > 0 ? SHORT_SILENCE_MS : SILENCE_MS;
    try {
      const isThere = await fetchRanges(this.#holder, site, name, memory, {
        why,
        silenceMs,
        onRange,
      });
      return isThere ? "whole" : "failed";
    } catch (error) {
      if (error instanceof Changed) return "left";
      const isLie = error instanceof BackupError && error.code === "E-BACKUP-SHARD";
      if (isLie) speed.isDistrusted = true;
      const { shard } = name;
      const what = isLie ? "a holder gave what is not the shard" : "a holder did not give a shard";
      log[isLie ? "warn" : "info"](what, { site, shard, error: String(error) });
      // Its silence says how slow it is, so that the next shards are asked for elsewhere first.
      const silentSeconds = (clock.monotonicMs() - sinceMs) / 1000;
      if (silentSeconds * 1000 >= silenceMs) speed.bytesPerSecond = 1 / silentSeconds;
      return !isLie && others.length > 0 ? "left" : "failed";
    } finally {
      speed.underWay--;
    }
  }

  #source(site: SiteId): Source {
    return { site, ...this.#speed(site) };
  }

  #speed(site: SiteId): Speed {
    const found = this.#speeds.get(site);
    if (found !== undefined) return found;
    const fresh = { underWay: 0, bytesPerSecond: undefined, isDistrusted: false };
    this.#speeds.set(site, fresh);
    return fresh;
  }
}

/** Verified ranges of one shard in memory, from whichever holder. */
class MemoryShard implements RangeTarget, RangeSink {
  readonly #name: ShardName;
  bytes = new Uint8Array();
  #roots = new Uint8Array();
  #doneBytes = 0;

  constructor(name: ShardName) {
    this.#name = name;
  }

  startBytes(): number {
    return this.#doneBytes;
  }

  get nextBytes(): number {
    return rangeBytesAt(this.bytes.length, this.#doneBytes);
  }

  async begin(sizeBytes: number, roots: Uint8Array, from: number): Promise<RangeSink> {
    if (!areRootsOf({ ...this.#name, sizeBytes }, roots)) throw otherBytes();
    // The name stands for one size only, so what came before is of the same shard.
    if (this.bytes.length !== sizeBytes) this.bytes = new Uint8Array(sizeBytes);
    this.#roots = Uint8Array.from(roots);
    this.#doneBytes = from;
    return this;
  }

  async add(range: Uint8Array): Promise<void> {
    if (!isRange(this.bytes.length, this.#roots, this.#doneBytes, range)) throw otherBytes();
    this.bytes.set(range, this.#doneBytes);
    this.#doneBytes += range.length;
  }
}

function otherBytes(): BackupError {
  return new BackupError("E-BACKUP-SHARD", "The bytes are not the shard's.");
}
