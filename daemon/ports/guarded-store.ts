/**
 * The store as the parts of the node get it: with a guard before it and an alarm behind it.
 */
import type { Store } from "../core/store.ts";

export interface StoreGuard {
  /** Rejects when so many bytes are too many for the disk: the write is not begun. */
  readonly require: (sizeBytes: number) => Promise<void>;
  /** Called when a write has failed: what is in memory may be ahead of the disk from then on. */
  readonly onFailure: (error: unknown) => void;
}

/** A refusal by the guard is no failure: the next write is tried again. */
export function guardedStore(store: Store, guard: Partial<StoreGuard>): Store {
  return {
    get: (key) => store.get(key),
    entries: (range) => store.entries(range),
    close: () => store.close(),
    write: async (changes, durability) => {
      const sizes = changes.map((each) => (each.kind === "put" ? each.value.length : 0));
      const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
      if (sizeBytes > 0) await guard.require?.(sizeBytes);
      try {
        await store.write(changes, durability);
      } catch (error) {
        guard.onFailure?.(error);
        throw error;
      }
    },
  };
}
