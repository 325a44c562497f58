/**
 * What the owner has decided about where the copies of its data sets lie, as the client told it.
 *
 * Sites are kept as the owner named them, because a box that takes the place of a lost one keeps
 * its name; what is published are the members that have these names now. Told before the first
 * commit of a set, so that nothing ever goes where it must not.
 */
import { z } from "zod";
import type { Authority } from "../../../core/authority/authority.ts";
import { prefixRange, type Store } from "../../../core/store.ts";
import { isCountry } from "../../../../protocol/country.ts";
import { decodeCbor, encodeCbor } from "../../../../protocol/encoding/cbor.ts";
import { parseId, type SetId, type SiteId } from "../../../../protocol/ids.ts";
import {
  MAX_NAMED_HOLDERS,
  NO_RULES,
  type PlacementRules,
} from "../../../../protocol/logs/record.ts";

const PREFIX = "backup/rules/";
const MAX_STORED_BYTES = 16 * 1024;

const stored = z.strictObject({
  v: z.literal(1),
  allow: z.array(z.string().refine(isCountry)),
  deny: z.array(z.string().refine(isCountry)),
  /** Names or identifiers of sites; null: any. */
  holders: z.array(z.string().max(64)).max(MAX_NAMED_HOLDERS).nullable(),
  /** Whether shards stay here when all others have signed for them. */
  local: z.enum(["keep", "drop"]),
});
export type OwnRulesRecord = Omit<z.output<typeof stored>, "v">;

const NONE: OwnRulesRecord = { allow: [], deny: [], holders: null, local: "keep" };

export class OwnRules {
  readonly #store: Store;
  readonly #sets: Map<SetId, OwnRulesRecord>;

  private constructor(store: Store, sets: Map<SetId, OwnRulesRecord>) {
    this.#store = store;
    this.#sets = sets;
  }

  /** @throws when a record is damaged: copies could go where their owner does not want them. */
  static async open(store: Store): Promise<OwnRules> {
    const sets = new Map<SetId, OwnRulesRecord>();
    for await (const [key, value] of store.entries(prefixRange(PREFIX))) {
      const set = parseId<SetId>(key.slice(PREFIX.length), 16);
      const { v: _version, ...rules } = stored.parse(decodeCbor(value, MAX_STORED_BYTES));
      if (set !== undefined) sets.set(set, rules);
    }
    return new OwnRules(store, sets);
  }

  of(set: SetId): OwnRulesRecord {
    return this.#sets.get(set) ?? NONE;
  }

  /** Durable. */
  async put(set: SetId, rules: OwnRulesRecord): Promise<void> {
    const value = encodeCbor({ v: 1, ...rules });
    await this.#store.write([{ kind: "put", key: PREFIX + set, value }], "durable");
    this.#sets.set(set, rules);
  }

  /** As others are told, with the members that have the names now. */
  published(set: SetId, authority: Pick<Authority, "siteNamed">): PlacementRules {
    const { allow, deny, holders } = this.of(set);
    if (allow.length + deny.length === 0 && holders === null) return NO_RULES;
    const named = holders?.flatMap((word) => siteOf(word, authority) ?? []);
    return { allow, deny, holders: named === undefined ? null : [...new Set(named)].toSorted() };
  }

  /** The named holders that are no members. */
  unknown(set: SetId, authority: Pick<Authority, "siteNamed" | "sites">): readonly string[] {
    const { holders } = this.of(set);
    return (holders ?? []).filter((word) => {
      const site = siteOf(word, authority);
      return site === undefined || !authority.sites.has(site);
    });
  }
}

function siteOf(word: string, { siteNamed }: Pick<Authority, "siteNamed">): SiteId | undefined {
  return parseId<SiteId>(word) ?? siteNamed(word)?.siteId;
}
