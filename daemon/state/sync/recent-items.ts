/**
 * What went through this node lately, and who is known to hold it.
 *
 * It keeps the same item from being checked once for each neighbour that passes it on, and from
 * being sent to those who have it. Forgetting an entry costs only that work.
 */
import { sha256, toHex, type SiteId } from "../../../protocol/ids.ts";

/** About 1 MiB; more than a busy mesh makes in the minute that an item takes to go round. */
const MAX_ENTRIES = 4096;

export interface RecentItem {
  /** Members that sent it or confirmed it. */
  readonly holders: Set<SiteId>;
  /** It came by push, so it is to be passed on by push. */
  pushed: boolean;
  /** It is durable here. */
  stored: boolean;
}

export class RecentItems {
  readonly #items = new Map<string, RecentItem>();

  /** The entry of a signed item, made new where there is none. */
  of(bytes: Uint8Array): RecentItem {
    const key = toHex(sha256(bytes).subarray(0, 16));
    const item = this.#items.get(key) ?? { holders: new Set(), pushed: false, stored: false };
    // Deleting first makes it the newest in the order of the map.
    this.#items.delete(key);
    this.#items.set(key, item);
    if (this.#items.size > MAX_ENTRIES) {
      for (const oldest of this.#items.keys()) {
        this.#items.delete(oldest);
        break;
      }
    }
    return item;
  }
}
