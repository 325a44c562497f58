/**
 * The store seam: an ordered map of bytes with atomic, durable batches.
 *
 * The real thing is LevelDB in `daemon/state/level-store.ts`; the fake can lose what was not
 * synced, go back to an older image and flip bits. Nobody may rely on the store to detect damage:
 * LevelDB drops records behind a flipped bit without a word, so records carry their own hashes.
 */
export type StoreChange =
  | { readonly kind: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: string };

export interface KeyRange {
  /** First key, inclusive. */
  readonly from: string;
  /** End, exclusive. Keys are compared by their UTF-8 bytes. */
  readonly to: string;
  /** Stops after so many entries. Default: no limit. */
  readonly limit?: number;
  /** From the end backwards. Default: false. */
  readonly reverse?: boolean;
}

export interface Store {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Entries in key order. */
  entries(range: KeyRange): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  /**
   * All of the changes or none. With `durable` it resolves only when they survive a power cut;
   * without, they may be lost, but never partly. After a rejection the store takes no more writes.
   */
  write(changes: readonly StoreChange[], durability: "durable" | "cached"): Promise<void>;
  close(): Promise<void>;
}

/** The range of all keys that start with a prefix (printable ASCII). */
export function prefixRange(prefix: string): { from: string; to: string } {
  return { from: prefix, to: `${prefix}\u{10ffff}` };
}
