/**
 * Receipts of other sites, as they were signed.
 *
 * Every site keeps those that pass through it: the owner's site to know what is safe, a holder to
 * tell the owner's site what later hops have signed. They are kept without an fsync, because a
 * lost one is asked for again and signed again.
 */
import { z } from "zod";
import { prefixRange, type Store } from "../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/cbor.ts";
import type { SetId, SiteId } from "../../../protocol/ids.ts";
import {
  openReceipt,
  parseReceipt,
  type Receipt,
  type SignedReceipt,
} from "../../../protocol/receipt.ts";

export interface StoredReceipt {
  readonly receipt: Receipt;
  readonly signed: SignedReceipt;
}

const PREFIX = "backup/receipt/";
const MAX_STORED_BYTES = 1024;
const stored = z.strictObject({
  bytes: z.instanceof(Uint8Array),
  signature: z.instanceof(Uint8Array),
});

export class ReceiptStore {
  readonly #store: Store;
  readonly #listeners = new Set<(receipts: readonly StoredReceipt[]) => void>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Verifies receipts and keeps those that are wanted: a peer must not fill the store.
   *
   * @throws ReceiptError when one of them is no receipt, or its signature is wrong.
   */
  async add(
    receipts: readonly SignedReceipt[],
    wanted: (receipt: Receipt) => boolean,
  ): Promise<readonly StoredReceipt[]> {
    const opened = receipts
      .map((signed) => ({ receipt: openReceipt(signed), signed }))
      .filter(({ receipt }) => wanted(receipt));
    if (opened.length === 0) return opened;
    await this.#store.write(
      opened.map(({ receipt, signed }) => ({
        kind: "put",
        key: `${PREFIX}${receipt.set}/${receipt.holder}/${receipt.id}`,
        value: encodeCbor({ bytes: signed.bytes, signature: signed.signature }),
      })),
      "cached",
    );
    for (const listener of this.#listeners) listener(opened);
    return opened;
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
    const signed = stored.parse(decodeCbor(value, MAX_STORED_BYTES));
    return { receipt: parseReceipt(signed.bytes), signed };
  } catch {
    return undefined;
  }
}
