/**
 * Keeps entries under a hash of where and what they are.
 *
 * An entry is checked in full, signature and all, before it is stored. What comes back under its
 * hash is that entry, so a start need not verify 100,000 signatures once more. A record that the
 * disk has damaged is as good as lost: it is left out, and replication brings it again. Whoever can
 * write this hash can write to the directory, and has the site's key.
 */
import { sha256 } from "../../protocol/ids.ts";
import type { KeyRange, Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { ENTRIES } from "./keys.ts";

/** Of SHA-256, before each entry: chance never meets so many. */
const SEAL_BYTES = 16;

/** The store as the rest of the state sees it; only entries differ from what lies in `store`. */
export function sealEntries(store: Store, log: Logger): Store {
  return new SealedEntries(store, log);
}

class SealedEntries implements Store {
  readonly #store: Store;
  readonly #log: Logger;

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const value = await this.#store.get(key);
    return value === undefined || !isEntry(key) ? value : this.#open(key, value);
  }

  async *entries(range: KeyRange): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    const damaged: StoreChange[] = [];
    try {
      for await (const item of this.#store.entries(range)) {
        const [key, value] = item;
        const bytes = isEntry(key) ? this.#open(key, value) : value;
        if (bytes !== undefined) yield [key, bytes];
        else damaged.push({ kind: "delete", key });
      }
    } finally {
      // Else it would be found and told of at every start, until it is there again.
      if (damaged.length > 0) await this.#store.write(damaged, "cached");
    }
  }

  write(changes: readonly StoreChange[], durability: "durable" | "cached"): Promise<void> {
    const sealed = changes.map((change) =>
      change.kind === "put" && isEntry(change.key)
        ? { ...change, value: seal(change.key, change.value) }
        : change,
    );
    return this.#store.write(sealed, durability);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #open(key: string, value: Uint8Array): Uint8Array | undefined {
    const bytes = unsealEntry(key, value);
    if (bytes === undefined) this.#log.error("a stored entry is damaged", { key });
    return bytes;
  }
}

/** The entry in what lies in the store under a key, or undefined when it is damaged. */
export function unsealEntry(key: string, value: Uint8Array): Uint8Array | undefined {
  const bytes = value.subarray(SEAL_BYTES);
  const isWhole = Buffer.compare(sealOf(key, bytes), value.subarray(0, SEAL_BYTES)) === 0;
  return isWhole ? bytes : undefined;
}

function isEntry(key: string): boolean {
  return key.startsWith(ENTRIES.from);
}

function seal(key: string, bytes: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(SEAL_BYTES + bytes.length);
  sealed.set(sealOf(key, bytes));
  sealed.set(bytes, SEAL_BYTES);
  return sealed;
}

function sealOf(key: string, bytes: Uint8Array): Uint8Array {
  return sha256(`${key}\0`, bytes).subarray(0, SEAL_BYTES);
}
