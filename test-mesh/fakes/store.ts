/**
 * A store in memory that can lose what was not synced, go back to an older image, flip bits and
 * run out of space.
 */
import type { KeyRange, Store, StoreChange } from "../../daemon/core/store.ts";

type Image = ReadonlyMap<string, Uint8Array>;

/** What survives closing: the disk under the store. */
export class FakeDisk {
  #content = new Map<string, Uint8Array>();
  /** What stood there before each change that is not synced yet. */
  readonly #unsynced = new Map<string, Uint8Array | undefined>();
  /** Writes fail with this from now on. */
  failure: Error | undefined;
  /** What others have left of the disk under the store. A larger batch fails, and so the store. */
  freeBytes = 2 ** 40;
  /** Durable writes so far. */
  syncs = 0;
  /** Keys that were ever deleted by whoever uses the store. */
  readonly deleted = new Set<string>();

  /** Opens a store on what is there. */
  open(): Store {
    return new FakeStore(this);
  }

  get content(): Map<string, Uint8Array> {
    return this.#content;
  }

  apply(changes: readonly StoreChange[], durable: boolean): void {
    for (const change of changes) {
      const { key } = change;
      if (!this.#unsynced.has(key)) this.#unsynced.set(key, this.#content.get(key));
      if (change.kind === "put") this.#content.set(key, Uint8Array.from(change.value));
      else {
        this.#content.delete(key);
        this.deleted.add(key);
      }
    }
    if (!durable) return;
    this.syncs += 1;
    this.#unsynced.clear();
  }

  /** The fault that a batch of changes meets, if any. */
  faultFor(changes: readonly StoreChange[]): Error | undefined {
    if (this.failure !== undefined) return this.failure;
    const sizes = changes.map((change) => (change.kind === "put" ? change.value.length : 0));
    const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
    if (sizeBytes <= this.freeBytes) return undefined;
    return Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  }

  /** A power cut: what was not synced is gone. Returns how many keys that changed. */
  cutPower(): number {
    const lost = this.#unsynced.size;
    for (const [key, before] of this.#unsynced) {
      if (before === undefined) this.#content.delete(key);
      else this.#content.set(key, before);
    }
    this.#unsynced.clear();
    return lost;
  }

  /** What was written without a sync gets to the disk some time later: a killed process loses none. */
  catchUp(): void {
    this.#unsynced.clear();
  }

  /** A copy of the content, for {@link restore}. */
  image(): Image {
    return new Map(this.#content);
  }

  /** Another disk with the same content. */
  copy(): FakeDisk {
    const disk = new FakeDisk();
    disk.restore(this.#content);
    return disk;
  }

  /** Puts an older image back, as from a backup of the machine. */
  restore(image: Image): void {
    this.#content = new Map(image);
    this.#unsynced.clear();
  }

  /** Turns one bit of one value over. */
  flipBit(key: string, bit: number): void {
    const value = this.#content.get(key);
    if (value === undefined) throw new RangeError(`no ${key}`);
    const flipped = Uint8Array.from(value);
    const at = (bit >> 3) % flipped.length;
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7));
    this.#content.set(key, flipped);
  }
}

class FakeStore implements Store {
  readonly #disk: FakeDisk;
  #closed = false;
  #failed: Error | undefined;

  constructor(disk: FakeDisk) {
    this.#disk = disk;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.#check();
    await Promise.resolve();
    const value = this.#disk.content.get(key);
    return value === undefined ? undefined : Uint8Array.from(value);
  }

  async *entries(range: KeyRange): AsyncIterable<readonly [string, Uint8Array]> {
    this.#check();
    const { from, to, limit = Infinity, reverse = false } = range;
    const keys = [...this.#disk.content.keys()]
      .filter((key) => compareKeys(key, from) >= 0 && compareKeys(key, to) < 0)
      .toSorted((a, b) => (reverse ? -1 : 1) * compareKeys(a, b))
      .slice(0, limit);
    const image = keys.map((key) => [key, this.#disk.content.get(key)] as const);
    for (const [key, value] of image) {
      await Promise.resolve();
      if (value !== undefined) yield [key, Uint8Array.from(value)];
    }
  }

  async write(changes: readonly StoreChange[], durability: "durable" | "cached"): Promise<void> {
    this.#check();
    if (this.#failed !== undefined) throw this.#failed;
    await Promise.resolve();
    this.#failed ??= this.#disk.faultFor(changes);
    if (this.#failed !== undefined) throw this.#failed;
    this.#disk.apply(changes, durability === "durable");
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.resolve();
  }

  #check(): void {
    if (this.#closed) throw new Error("the store is closed");
  }
}

/** By their bytes: the keys of the state are ASCII. */
function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
