/** Tells who passes a group on of shards that are still on their way to this site. */
import type { ShardId } from "../../../../protocol/ids.ts";

/** What one watcher has not been told yet. */
export interface ArrivalWatch {
  /** Whether somebody still sends the group to us. */
  growing(): boolean;
  /** Shards that arrived since the last answer. Waits for one, or until nobody sends any more. */
  next(): Promise<readonly ShardId[]>;
  close(): void;
}

interface Watcher {
  arrived: ShardId[];
  wake: () => void;
}

export class Arrivals {
  readonly #senders = new Map<string, number>();
  readonly #watchers = new Map<string, Set<Watcher>>();

  /** Somebody began to send the group to us. Returns what says that it is over. */
  begin(group: string): () => void {
    this.#senders.set(group, (this.#senders.get(group) ?? 0) + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const left = (this.#senders.get(group) ?? 1) - 1;
      if (left > 0) this.#senders.set(group, left);
      else this.#senders.delete(group);
      for (const watcher of this.#watchers.get(group) ?? []) watcher.wake();
    };
  }

  /** A shard of the group is durable here. */
  arrived(group: string, shard: ShardId): void {
    for (const watcher of this.#watchers.get(group) ?? []) {
      watcher.arrived.push(shard);
      watcher.wake();
    }
  }

  /** Watches from now on; what is here already the caller finds by itself. */
  watch(group: string): ArrivalWatch {
    const watcher: Watcher = { arrived: [], wake: () => {} };
    const watchers = this.#watchers.get(group) ?? new Set();
    this.#watchers.set(group, watchers.add(watcher));
    const growing = (): boolean => this.#senders.has(group);
    return {
      growing,
      next: async () => {
        if (watcher.arrived.length === 0 && growing()) {
          await new Promise<void>((resolve) => {
            watcher.wake = resolve;
          });
        }
        return watcher.arrived.splice(0);
      },
      close: () => {
        watchers.delete(watcher);
        if (watchers.size === 0) this.#watchers.delete(group);
        watcher.wake();
      },
    };
  }
}
