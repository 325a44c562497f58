/** Gathers new tree chunks and hands them to a worker in portions. */
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
  #bytes = 0;

  constructor(store: TreeStore) {
    this.#store = store;
  }

  /** Takes a chunk; one that is known goes nowhere. */
  add(chunk: TaggedChunk): void {
    if (!this.#store.seen.add(chunk.id)) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.bytes.length;
    if (this.#bytes >= PORTION_BYTES) this.flush();
  }

  flush(): void {
    if (this.#chunks.length > 0) this.#store.store(this.#chunks);
    this.#chunks = [];
    this.#bytes = 0;
  }
}
