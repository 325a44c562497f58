/**
 * Receipts of other sites, as they were signed.
 *
 * Every site keeps those that pass through it: the owner's site to know what is safe, a holder to
 * tell the owner's site what later hops have signed. They are kept without an fsync, because a
 * lost one is asked for again and signed again.
 */
import { z } from "zod";
import { prefixRange, type Store } from "../../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../../protocol/encoding/cbor.ts";
import type { ListId, SetId, ShardId, SiteId } from "../../../../protocol/ids.ts";
import {
  openReceipt,
  parseReceipt,
  type Receipt,
  type SignedReceipt,
} from "../../../../protocol/backup/receipt.ts";

export interface StoredReceipt {
  readonly receipt: Receipt;
  readonly signed: SignedReceipt;
  /** When it came here last, by the wall clock of this site. */
  readonly atMs: number;
}

const PREFIX = "backup/receipt/";
const MAX_STORED_BYTES = 1024;
/** How many are read at once. */
const PARALLEL_READS = 64;
const stored = z.strictObject({
  bytes: z.instanceof(Uint8Array),
  signature: z.instanceof(Uint8Array),
  atMs: z.int().min(0),
});

export class ReceiptStore {
  readonly #store: Store;
  readonly #wallMs: () => number;
  readonly #listeners = new Set<(receipts: readonly StoredReceipt[]) => void>();

  /** @param wallMs - Dates receipts as they come: they say no time themselves. */
  constructor(store: Store, wallMs: () => number) {
    this.#store = store;
    this.#wallMs = wallMs;
  }

  /**
   * Verifies receipts and keeps those that are wanted: a peer must not fill the store. Listeners
   * hear of those that say something new; one that was signed again only gets a new date.
   *
   * @throws ReceiptError when one of them is no receipt, or its signature is wrong.
   */
  async add(
    receipts: readonly SignedReceipt[],
    wanted: (receipt: Receipt) => boolean,
  ): Promise<void> {
    const atMs = Math.max(0, Math.floor(this.#wallMs()));
    const opened = receipts
      .map((signed) => ({ receipt: openReceipt(signed), signed, atMs }))
      .filter(({ receipt }) => wanted(receipt));
    if (opened.length === 0) return;
    const before = await Promise.all(opened.map(({ receipt }) => this.#load(keyOf(receipt))));
    const added = opened.filter(({ signed }, at) => !isSame(signed, before[at]?.signed));
    await this.#store.write(
      opened.map(({ receipt, signed: { bytes, signature } }) => ({
        kind: "put",
        key: keyOf(receipt),
        value: encodeCbor({ bytes, signature, atMs }),
      })),
      "cached",
    );
    if (added.length > 0) for (const listener of this.#listeners) listener(added);
  }

  /**
   * The receipts of one holder for some pieces, in their order; undefined where there is none.
   * Signatures were verified when they came.
   */
  async forPieces(
    set: SetId,
    holder: SiteId,
    ids: readonly (ShardId | ListId)[],
  ): Promise<(StoredReceipt | undefined)[]> {
    const found: (StoredReceipt | undefined)[] = [];
    for (let start = 0; start < ids.length; start += PARALLEL_READS) {
      const part = ids.slice(start, start + PARALLEL_READS);
      found.push(...(await Promise.all(part.map((id) => this.#load(keyOf({ set, holder, id }))))));
    }
    return found;
  }

  async #load(key: string): Promise<StoredReceipt | undefined> {
    const value = await this.#store.get(key);
    return value === undefined ? undefined : read(value);
  }

  /**
   * All receipts for a data set, of one holder or of all. Signatures were verified when they came;
   * doing so again would take a minute for a terabyte.
   */
  async *of(set: SetId, holder?: SiteId): AsyncGenerator<StoredReceipt> {
    const prefix = `${PREFIX}${set}/${holder === undefined ? "" : `${holder}/`}`;
    for await (const [, value] of this.#store.entries(prefixRange(prefix))) {
      const receipt = read(value);
      if (receipt !== undefined) yield receipt;
    }
  }

  /** Tells of receipts that are new here. Returns what ends the telling. */
  onNew(listener: (receipts: readonly StoredReceipt[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function read(value: Uint8Array): StoredReceipt | undefined {
  try {
    const { bytes, signature, atMs } = stored.parse(decodeCbor(value, MAX_STORED_BYTES));
    return { receipt: parseReceipt(bytes), signed: { bytes, signature }, atMs };
  } catch {
    return undefined;
  }
}

function keyOf({ set, holder, id }: Pick<Receipt, "set" | "holder" | "id">): string {
  return `${PREFIX}${set}/${holder}/${id}`;
}

/** The content says all: a site may sign it in another way each time. */
function isSame(a: SignedReceipt, b: SignedReceipt | undefined): boolean {
  return b !== undefined && Buffer.compare(a.bytes, b.bytes) === 0;
}
