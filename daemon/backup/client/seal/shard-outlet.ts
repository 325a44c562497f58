/** Hands sealed shards from their slots to the daemon, a few at a time. */
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { freeSlot, slotBytes, type SealedShard, type ShardSlots } from "./shard-sealer.ts";

/** Shards that may be on the way to the disk at once: several wait no longer for it than one. */
const MAX_UNDURABLE = 8;

/** Where sealed shards go. */
export interface SealedShards {
  /** As in the port of the client: `onSent` may be called before the shard is durable. */
  put(shard: ShardId, bytes: Uint8Array, onSent: () => void): Promise<void>;
  /** Told of each shard that is. */
  onStored(table: ShardTable): void;
}

export class ShardOutlet {
  /** Tables of the shards that were sealed so far. */
  readonly tables: ShardTable[] = [];
  /** Bytes of those that are durable. */
  storedBytes = 0;
  readonly #store: SealedShards;
  readonly #slots: ShardSlots;
  readonly #onFault: (error: unknown) => void;
  readonly #storing = new Set<Promise<void>>();
  #undurable = 0;
  /** Of shards that wait until fewer are under way. */
  readonly #turns: (() => void)[] = [];
  #isClosed = false;

  constructor(store: SealedShards, slots: ShardSlots, onFault: (error: unknown) => void) {
    this.#store = store;
    this.#slots = slots;
    this.#onFault = onFault;
  }

  keep({ shard, sizeBytes, keyEpoch, slot, table }: SealedShard): void {
    if (this.#isClosed) return freeSlot(this.#slots, slot);
    const named = { shard, sizeBytes, keyEpoch, table };
    this.tables.push(named);
    const stored = this.#put(named, slot).then(
      () => void this.#storing.delete(stored),
      (error: unknown) => this.#onFault(error),
    );
    this.#storing.add(stored);
  }

  /** Resolves when every shard so far is durable; never after a fault. */
  async durable(): Promise<void> {
    await Promise.all(this.#storing);
  }

  /** Nothing is stored any more; what still gets sealed is thrown away. */
  close(): void {
    this.#isClosed = true;
  }

  /** The slot is free again when the shard is sent: a disk that is slow to sync delays no thread. */
  async #put(table: ShardTable & { readonly shard: ShardId }, slot: number): Promise<void> {
    let isFree = false;
    const free = (): void => {
      if (!isFree) freeSlot(this.#slots, slot);
      isFree = true;
    };
    while (this.#undurable >= MAX_UNDURABLE) {
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    }
    this.#undurable += 1;
    await this.#store.put(table.shard, slotBytes(this.#slots, slot, table.sizeBytes), free);
    free();
    this.#undurable -= 1;
    this.#turns.shift()?.();
    this.storedBytes += table.sizeBytes;
    this.#store.onStored(table);
  }
}
