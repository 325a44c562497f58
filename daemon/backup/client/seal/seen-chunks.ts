/**
 * Which chunks are known, shared by all threads: a set of chunk ids in shared memory.
 *
 * Whoever puts an id in first stores the chunk. 127 bits of each id are compared, which chance
 * does not make equal. Two threads that race, or a table that is full, can only lead to a chunk
 * being stored twice, which is harmless.
 *
 * Open addressing with linear probing; 16 bytes a slot. The first word claims a slot, the last
 * one, never zero, says that the slot is complete.
 */
const WORDS = 4;
/** A level takes no more above this share, so that probes stay short. */
const FULL_RATIO = 0.6;
const LEAST_SLOTS = 1 << 16;
/** Another thread needs nanoseconds between its first and its last word. */
const MAX_SPINS = 10_000;

/** One table: word 0 counts its entries, the slots follow. */
export type SeenLevel = SharedArrayBuffer;

export class SeenChunks {
  readonly #levels: Int32Array[];

  constructor(levels: readonly SeenLevel[]) {
    this.#levels = levels.map((level) => new Int32Array(level));
  }

  /** @param expected - How many ids it should take before it has to grow. */
  static newLevel(expected: number): SeenLevel {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(LEAST_SLOTS, (expected / FULL_RATIO) | 0)));
    return new SharedArrayBuffer((1 + slots) * WORDS * 4);
  }

  /** Adds a larger table; the older ones are still asked. */
  grow(level: SeenLevel): void {
    this.#levels.push(new Int32Array(level));
  }

  /** The next, twice as large table once the newest is full; undefined while it is not. */
  nextLevel(): SeenLevel | undefined {
    const newest = this.#levels.at(-1);
    if (newest === undefined) return SeenChunks.newLevel(0);
    const slots = newest.length / WORDS - 1;
    const full = Atomics.load(newest, 0) > slots * FULL_RATIO;
    return full ? SeenChunks.newLevel(slots * 2 * FULL_RATIO) : undefined;
  }

  /** Whether the chunk is known. @param id - 32 bytes. */
  has(id: Uint8Array): boolean {
    const words = wordsOf(id);
    return this.#levels.some((level) => find(level, words, false) === "known");
  }

  /** Makes the chunk known. True when it was not: the caller has to store it. */
  add(id: Uint8Array): boolean {
    const words = wordsOf(id);
    const newest = this.#levels.at(-1);
    for (const level of this.#levels) {
      if (level !== newest && find(level, words, false) === "known") return false;
    }
    return newest === undefined || find(newest, words, true) !== "known";
  }
}

type Words = readonly [number, number, number, number];

function wordsOf(id: Uint8Array): Words {
  const view = new DataView(id.buffer, id.byteOffset, 16);
  // Zero means "empty" in the first and "not yet complete" in the last word.
  return [view.getInt32(0) || 1, view.getInt32(4), view.getInt32(8), view.getInt32(12) | 1];
}

function find(level: Int32Array, words: Words, insert: boolean): "known" | "added" | "absent" {
  const slots = level.length / WORDS - 1;
  let slot = words[1] & (slots - 1);
  for (let probes = 0; probes < slots; probes++) {
    const at = (1 + slot) * WORDS;
    let first = Atomics.load(level, at);
    if (first === 0) {
      if (!insert) return "absent";
      first = Atomics.compareExchange(level, at, 0, words[0]);
      if (first === 0) {
        Atomics.store(level, at + 1, words[1]);
        Atomics.store(level, at + 2, words[2]);
        Atomics.store(level, at + 3, words[3]);
        Atomics.add(level, 0, 1);
        return "added";
      }
    }
    if (first === words[0] && sameRest(level, at, words)) return "known";
    slot = (slot + 1) & (slots - 1);
  }
  return "absent";
}

function sameRest(level: Int32Array, at: number, words: Words): boolean {
  let last = Atomics.load(level, at + 3);
  for (let spins = 0; last === 0 && spins < MAX_SPINS; spins++) last = Atomics.load(level, at + 3);
  return (
    last === words[3] &&
    Atomics.load(level, at + 1) === words[1] &&
    Atomics.load(level, at + 2) === words[2]
  );
}
