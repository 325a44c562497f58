/**
 * Gathers new tree chunks and hands them to a worker in portions.
 *
 * Into memory of its own: a small buffer is a part of a pool of 64 KiB, which it keeps alive, and
 * which is sent with it to another thread.
 */
import type { SeenChunks } from "./seen-chunks.ts";
import type { TaggedChunk } from "./worker-message.ts";

const PORTION_BYTES = 512 * 1024;

interface TreeStore {
  readonly seen: SeenChunks;
  store(chunks: readonly TaggedChunk[]): void;
}

export class TreeOutlet {
  readonly #store: TreeStore;
  #chunks: TaggedChunk[] = [];
  #memory = new Uint8Array(PORTION_BYTES);
  #filled = 0;

  constructor(store: TreeStore) {
    this.#store = store;
  }

  /** Takes a chunk; one that is known goes nowhere. */
  add(chunk: TaggedChunk): void {
    if (!this.#store.seen.add(chunk.id)) return;
    const { kind, id, bytes } = chunk;
    const sizeBytes = id.length + bytes.length;
    if (this.#filled + sizeBytes > this.#memory.length) this.flush();
    if (sizeBytes > this.#memory.length) this.#memory = new Uint8Array(sizeBytes);
    this.#chunks.push({ kind, id: this.#keep(id), bytes: this.#keep(bytes) });
  }

  flush(): void {
    if (this.#chunks.length > 0) this.#store.store(this.#chunks);
    this.#chunks = [];
    this.#filled = 0;
  }

  #keep(bytes: Uint8Array): Uint8Array {
    this.#memory.set(bytes, this.#filled);
    this.#filled += bytes.length;
    return this.#memory.subarray(this.#filled - bytes.length, this.#filled);
  }
}
