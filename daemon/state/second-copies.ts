/**
 * Keeps twice what a node cannot do without: statements, and the headers of snapshots.
 *
 * Entries that the disk has damaged come again from peers. But without the statement that enrols
 * them it refuses every peer, and that a header is missing no digest tells. So each of these lies
 * under a second name, too, far from the first, and a start mends one from the other.
 */
import { EnvelopeError } from "../../protocol/logs/envelope.ts";
import { decodeSignedHeader } from "../../protocol/logs/signed-header.ts";
import { decodeStatement, StatementError } from "../../protocol/statements/statement.ts";
import type { KeyRange, Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { COPIES, copyKey, headerKey, HEADERS, statementKey, STATEMENTS } from "./keys.ts";

const TWOFOLD = [STATEMENTS, HEADERS];

/** The store as the rest of the state sees it; second copies are written and deleted along. */
export function keepTwice(store: Store): Store {
  return new TwofoldStore(store);
}

class TwofoldStore implements Store {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#store.get(key);
  }

  entries(range: KeyRange): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    return this.#store.entries(range);
  }

  write(changes: readonly StoreChange[], durability: "durable" | "cached"): Promise<void> {
    const both = changes.flatMap((change) =>
      TWOFOLD.some(({ from }) => change.key.startsWith(from))
        ? [change, { ...change, key: copyKey(change.key) }]
        : [change],
    );
    return this.#store.write(both, durability);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

/** Whether bytes are what belongs under a key. */
function isSound(key: string, bytes: Uint8Array): boolean {
  try {
    if (key.startsWith(STATEMENTS.from)) return statementKey(decodeStatement(bytes).id) === key;
    const { log, header } = decodeSignedHeader(bytes);
    return headerKey(log, header.seq) === key;
  } catch (error) {
    if (error instanceof StatementError || error instanceof EnvelopeError) return false;
    throw error;
  }
}

/**
 * Mends what one copy of two lacks or has damaged. What is damaged in both stays as it is.
 *
 * @param store - One that writes both.
 */
export async function mendCopies(store: Store, log: Logger): Promise<void> {
  for (const range of TWOFOLD) {
    const copies = new Map<string, Uint8Array>();
    const mended: StoreChange[] = [];
    const from = copyKey(range.from);
    for await (const [key, bytes] of store.entries({ from, to: copyKey(range.to) })) {
      copies.set(key.slice(COPIES.from.length), bytes);
    }
    for await (const [key, first] of store.entries(range)) {
      const second = copies.get(key);
      copies.delete(key);
      if (second !== undefined && Buffer.compare(first, second) === 0) continue;
      const value = [first, second].find((bytes) => bytes !== undefined && isSound(key, bytes));
      if (value !== undefined) mended.push({ kind: "put", key, value });
    }
    for (const [key, value] of copies) {
      if (isSound(key, value)) mended.push({ kind: "put", key, value });
    }
    if (mended.length === 0) continue;
    log.warn("stored records are mended from their second copies", { count: mended.length });
    await store.write(mended, "durable");
  }
}
