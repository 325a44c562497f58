/** The data sets that this site writes: what the lists do not say. */
import { z } from "zod";
import { MAX_TIPS } from "../../../core/backup/next-tips.ts";
import { prefixRange, type Store, type StoreChange } from "../../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../../protocol/encoding/cbor.ts";
import { headField } from "../../../../protocol/backup/head.ts";
import type { OwnerId, SetId, SiteId } from "../../../../protocol/ids.ts";
import { bytesField, countField, idField } from "../../../../protocol/encoding/wire-field.ts";

const PREFIX = "backup/own/";
/** 1024 groups with 16 targets each are 560 KB. */
const MAX_STORED_BYTES = 1024 * 1024;

const ownSet = z.strictObject({
  v: z.literal(1),
  owner: idField<OwnerId>(),
  set: idField<SetId>(16),
  sealedName: bytesField(0, 512),
  keyEpoch: countField(0),
  /** Remote copies wanted. */
  copies: countField(1, 16),
  head: headField.nullable(),
  /** Newest snapshots of other lines; they stand until a person settles them. */
  tips: z.array(headField).max(MAX_TIPS),
  /** See next-tips.ts: the next snapshot begins a new chain. */
  setBackTo: z.strictObject({ head: headField.nullable() }).nullable(),
  /** For each group the sites that are to hold it; as many as there are groups. */
  targets: z.array(z.array(idField<SiteId>())),
  /** Shard bytes handed to the network, ever. */
  sentBytes: countField(0),
});
export type OwnSet = z.output<typeof ownSet>;

export class OwnSets {
  readonly #store: Store;
  readonly #sets: Map<SetId, OwnSet>;

  private constructor(store: Store, sets: Map<SetId, OwnSet>) {
    this.#store = store;
    this.#sets = sets;
  }

  /** @throws when a stored set is damaged: its lists could not be continued. */
  static async open(store: Store): Promise<OwnSets> {
    const sets = new Map<SetId, OwnSet>();
    for await (const [, value] of store.entries(prefixRange(PREFIX))) {
      const set = z.decode(ownSet, decodeCbor(value, MAX_STORED_BYTES) as z.input<typeof ownSet>);
      sets.set(set.set, set);
    }
    return new OwnSets(store, sets);
  }

  get(set: SetId): OwnSet | undefined {
    return this.#sets.get(set);
  }

  all(): OwnSet[] {
    return [...this.#sets.values()];
  }

  /** What makes a set durable as it is given here, for a batch with its lists. */
  change(set: OwnSet): StoreChange {
    return { kind: "put", key: PREFIX + set.set, value: encodeCbor(z.encode(ownSet, set)) };
  }

  /** Shows a set that was written by {@link change}. */
  accept(set: OwnSet): void {
    this.#sets.set(set.set, set);
  }

  async put(set: OwnSet, durability: "durable" | "cached"): Promise<void> {
    await this.#store.write([this.change(set)], durability);
    this.accept(set);
  }
}
