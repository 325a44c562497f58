/**
 * What this site remembers about each holder of each set: the question that is open, what came of
 * it, and the account.
 *
 * A round is durable before it is asked, so that a crash does not draw another one. What is read
 * back damaged counts as absent: the holder is asked anew.
 */
import { z } from "zod";
import type { ByteDays } from "../../core/backup/audit-account.ts";
import type { AuditProgress } from "../../core/backup/audit-progress.ts";
import { prefixRange, type Store } from "../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/encoding/cbor.ts";
import {
  parseId,
  type OwnerId,
  type SetId,
  type ShardId,
  type SiteId,
  type StoreId,
} from "../../../protocol/ids.ts";
import { hexId } from "../../../protocol/logs/record.ts";

export interface PairState {
  readonly progress: AuditProgress;
  readonly byteDays: ByteDays;
}

const PREFIX = "backup/audit/pair/";
/** 16,384 open shards and 4,096 suspects of some 150 bytes each. */
const MAX_STORED_BYTES = 8 * 1024 * 1024;

const count = z.int().min(0);
const amount = z.number().min(0);
const item = { group: count, shard: hexId<ShardId>(), sizeBytes: count };
const stored = z.object({
  progress: z.object({
    storeId: hexId<StoreId>(16),
    round: count,
    nonce: z.string().max(64),
    sinceRoundMs: amount,
    open: z.array(z.object({ ...item, leaf: count.nullable() })),
    presentMs: amount,
    census: z.object({ groups: z.array(count), after: hexId<ShardId>().nullable() }),
    suspects: z.array(z.object({ ...item, times: count })),
    sinceSuspectsMs: amount,
    expired: z.boolean(),
    visit: z.enum(["answered", "refused", "offline"]),
    atMs: amount,
    provenAtMs: amount.nullable(),
    leaves: count,
    wholes: count,
  }),
  byteDays: z.object({ given: amount, held: amount, proven: amount, sinceMs: amount }),
});

export interface PairName {
  readonly site: SiteId;
  readonly owner: OwnerId;
  readonly set: SetId;
}

export class PairStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** All that is kept and readable. */
  async *all(): AsyncIterable<readonly [PairName, PairState]> {
    for await (const [key, bytes] of this.#store.entries(prefixRange(PREFIX))) {
      const name = nameIn(key);
      const state = read(bytes);
      if (name !== undefined && state !== undefined) yield [name, state];
    }
  }

  async save(name: PairName, state: PairState, durability: "durable" | "cached"): Promise<void> {
    // As text: times are fractions, which have no encoding of their own.
    const value = encodeCbor(JSON.stringify(state));
    await this.#store.write([{ kind: "put", key: keyOf(name), value }], durability);
  }

  async forget(name: PairName): Promise<void> {
    await this.#store.write([{ kind: "delete", key: keyOf(name) }], "cached");
  }
}

function read(bytes: Uint8Array): PairState | undefined {
  try {
    const text = decodeCbor(bytes, MAX_STORED_BYTES);
    return stored.parse(JSON.parse(z.string().parse(text)));
  } catch {
    return undefined;
  }
}

function nameIn(key: string): PairName | undefined {
  const [owner, set, site] = key.slice(PREFIX.length).split("/");
  const name = {
    owner: parseId<OwnerId>(owner),
    set: parseId<SetId>(set, 16),
    site: parseId<SiteId>(site),
  };
  if (name.owner === undefined || name.set === undefined || name.site === undefined)
    return undefined;
  return { owner: name.owner, set: name.set, site: name.site };
}

function keyOf({ site, owner, set }: PairName): string {
  return `${PREFIX}${owner}/${set}/${site}`;
}
