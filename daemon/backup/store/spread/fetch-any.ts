/**
 * Gets a shard for a person who waits for it: from whichever holder brings it the soonest.
 *
 * Several shards are asked for at once, and holders get them by their measured speed. A holder that
 * is much slower than another one is free, or says nothing for a while, is left in the middle of a
 * shard: another one goes on at the next range. A holder that gives what is not the shard is named
 * and asked last from then on.
 */
import type { Clock } from "../../../core/clock.ts";
import { isWorthChanging, orderSources, type Source } from "../../../core/backup/source-choice.ts";
import { areRootsOf, isRange, rangeBytesAt } from "../../../../protocol/backup/shard-ranges.ts";
import { BackupError } from "../error.ts";
import type { AskOptions, RangeSink, RangeTarget } from "../shards/read-ranges.ts";
import { SILENCE_MS } from "./outbox.ts";
import type { ShardName } from "../shards/shard-store.ts";

/** While another holder is left to ask, one that says nothing for so long is left. */
const SHORT_SILENCE_MS = 10_000;
/** Of the speed that is known, so much comes from what was measured before. */
const MEMORY_RATIO = 0.5;

/** Somebody who may have a shard. */
export interface ShardSource {
  /** The same each time, for what is known of its speed. */
  readonly id: string;
  /**
   * Gives the rest of the shard to the target. Whether it has it.
   *
   * @throws BackupError (E-BACKUP-SHARD) when it gives what is not the shard.
   */
  ask(target: RangeTarget, options: AskOptions): Promise<boolean>;
}

/** How a source failed: it did not have the shard (no error), broke off, or lied. */
export type SourceFailed = (id: string, error: unknown, isLie: boolean) => void;

interface Speed {
  underWay: number;
  bytesPerSecond: number | undefined;
  isDistrusted: boolean;
}

/** Thrown within a fetch to go on with another source. */
class Changed extends Error {}

export class ShardFetcher {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #speeds = new Map<string, Speed>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** The verified shard, or undefined when none of these gives it. */
  async fetch(
    name: ShardName,
    sources: readonly ShardSource[],
    onFailed: SourceFailed,
  ): Promise<Uint8Array | undefined> {
    const memory = new MemoryShard(name);
    const left = new Map(sources.map((source) => [source.id, source]));
    /** Each may be left once for a faster one; then it is asked in earnest. */
    const leftOnce = new Set<string>();
    while (left.size > 0) {
      const [id = ""] = orderSources([...left.keys()].map((one) => this.#source(one)));
      const source = left.get(id);
      if (source === undefined) break;
      const others = leftOnce.has(id) ? [] : [...left.keys()].filter((one) => one !== id);
      const outcome = await this.#ask(source, memory, others, onFailed);
      if (outcome === "whole") return memory.bytes;
      if (outcome === "left" && others.length > 0) leftOnce.add(id);
      else left.delete(id);
    }
    return undefined;
  }

  async #ask(
    source: ShardSource,
    memory: MemoryShard,
    others: readonly string[],
    onFailed: SourceFailed,
  ): Promise<"whole" | "left" | "failed"> {
    const { id } = source;
    const clock = this.#clock;
    const speed = this.#speed(id);
    speed.underWay++;
    let sinceMs = clock.monotonicMs();
    const onRange = (sizeBytes: number): void => {
      const nowMs = clock.monotonicMs();
      const seconds = Math.max(1, nowMs - sinceMs) / 1000;
      const measured = (sizeBytes / seconds) * speed.underWay;
      const before = speed.bytesPerSecond ?? measured;
      speed.bytesPerSecond = before * MEMORY_RATIO + measured * (1 - MEMORY_RATIO);
      sinceMs = nowMs;
      const rivals = others.map((other) => this.#source(other));
      if (memory.nextBytes > 0 && isWorthChanging(this.#source(id), rivals)) throw new Changed();
    };
    const silenceMs = others.length > 0 ? SHORT_SILENCE_MS : SILENCE_MS;
    try {
      if (await source.ask(memory, { silenceMs, onRange })) return "whole";
      onFailed(id, undefined, false);
      return "failed";
    } catch (error) {
      if (error instanceof Changed) return "left";
      const isLie = error instanceof BackupError && error.code === "E-BACKUP-SHARD";
      if (isLie) speed.isDistrusted = true;
      onFailed(id, error, isLie);
      // Its silence says how slow it is, so that the next shards are asked for elsewhere first.
      const silentSeconds = (clock.monotonicMs() - sinceMs) / 1000;
      if (silentSeconds * 1000 >= silenceMs) speed.bytesPerSecond = 1 / silentSeconds;
      return isLie ? "failed" : "left";
    } finally {
      speed.underWay--;
    }
  }

  #source(id: string): Source {
    return { id, ...this.#speed(id) };
  }

  #speed(id: string): Speed {
    const found = this.#speeds.get(id);
    if (found !== undefined) return found;
    const fresh = { underWay: 0, bytesPerSecond: undefined, isDistrusted: false };
    this.#speeds.set(id, fresh);
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
