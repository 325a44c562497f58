/**
 * One set, as its askers see it: whom to ask, what those say to have, and the lists to ask by.
 */
import {
  chooseLeaves,
  LEAVES_IN_ROUND,
  spreadLeaves,
  wholesInTurn,
  type AuditItem,
} from "../../core/backup/audit-choice.ts";
import { FactsReader, type GroupFacts } from "../../core/backup/group-facts.ts";
import { coHolders } from "../../core/backup/holder-standing.ts";
import type { OwnerId, SetId, ShardId, SiteId, StoreId } from "../../../protocol/ids.ts";
import type { Holder } from "../store/holder.ts";
import type { LoadedList } from "../store/lists/list-store.ts";

export interface AskedSet {
  readonly owner: OwnerId;
  readonly set: SetId;
  /** The site that signs its lists. */
  readonly by: SiteId;
}

/** The sets of which this site has lists. */
export function askedSets({ lists }: Holder): AskedSet[] {
  const sets = lists.all().map(({ header: { owner, set, by } }) => ({ owner, set, by }));
  return [...new Map(sets.map((one) => [`${one.owner}/${one.set}/${one.by}`, one])).values()];
}

/** What one holder of a set says to have. */
export interface Claim {
  readonly site: SiteId;
  /** The store that it is in; undefined while the site claims nothing. */
  readonly storeId: StoreId | undefined;
  readonly groups: readonly {
    readonly group: number;
    readonly bytes: number;
    readonly shards: number;
  }[];
  /** All that is placed there: what is owed when nothing is claimed any more. */
  readonly placed: readonly { readonly group: number; readonly shards: number }[];
  /** Bytes that are placed there. */
  readonly givenBytes: number;
  readonly heldBytes: number;
}

/**
 * The holders that this site asks: those beside which it holds the set, or all if it is the set's
 * own site. Empty when it may ask nobody.
 */
export function claimsOf(holder: Holder, asked: AskedSet): readonly Claim[] {
  const { state, transport } = holder;
  const members = new Set(state.authority().sites.keys());
  const bySite = new Map<SiteId, GroupFacts[]>();
  for (const facts of new FactsReader(state.view(), members).set(asked)) {
    const holders = coHolders(facts);
    if (asked.by !== transport.self && !holders.includes(transport.self)) continue;
    for (const site of holders) bySite.set(site, [...(bySite.get(site) ?? []), facts]);
  }
  bySite.delete(transport.self);
  return [...bySite].map(([site, placed]) => claimOf(holder, placed, site));
}

/** @param placed - The groups that the site is to hold. */
function claimOf({ lists }: Holder, placed: readonly GroupFacts[], site: SiteId): Claim {
  const held = placed.flatMap((facts) => {
    const claim = facts.holding.get(site);
    const known = lists.newest(facts.owner, facts.set, facts.group);
    // Of a list that is not here it cannot be asked; the newest follows soon.
    if (claim === undefined || known?.id !== claim.list || known.header.by !== facts.by) return [];
    const { bytes, shards } = known.header;
    return [{ group: facts.group, bytes, shards, storeId: claim.storeId }];
  });
  return {
    site,
    storeId: held[0]?.storeId,
    groups: held,
    placed: placed.map(({ owner, set, group }) => ({
      group,
      shards: lists.newest(owner, set, group)?.header.shards ?? 1,
    })),
    givenBytes: placed.reduce((sum, { bytes }) => sum + bytes, 0),
    heldBytes: held.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/**
 * What a site that is asked no more owed: it may have been given any group, and what it was given is
 * told nowhere any more.
 */
export function formerClaim({ lists }: Holder, { owner, set, by }: AskedSet, site: SiteId): Claim {
  const placed = lists
    .all(owner, set)
    .filter(({ header }) => header.by === by)
    .map(({ header: { group, shards } }) => ({ group, shards }));
  return { site, storeId: undefined, groups: [], placed, givenBytes: 0, heldBytes: 0 };
}

/** Draws the next round. @param round - Its number. */
export async function drawRound(
  holder: Holder,
  { owner, set }: AskedSet,
  { groups }: Claim,
  round: number,
  rounds: number,
): Promise<readonly AuditItem[]> {
  const draw = (limit: number): number => {
    return Buffer.from(holder.clock.random(6)).readUIntBE(0, 6) % limit;
  };
  const leaves = spreadLeaves(groups, LEAVES_IN_ROUND, draw);
  const items: AuditItem[] = [];
  for (const { group } of groups) {
    const list = await holder.lists.load(owner, set, group);
    if (list === undefined) continue;
    items.push(...chooseLeaves(group, list.entries, leaves.get(group) ?? 0, draw));
    items.push(...wholesInTurn(group, list.entries, round, rounds));
  }
  return items;
}

/** Whether the newest lists of some groups name a shard. */
export async function listedIn(
  holder: Holder,
  { owner, set }: AskedSet,
  groups: Iterable<number>,
): Promise<(group: number, shard: ShardId) => boolean> {
  const named = new Map<number, ReadonlySet<ShardId>>();
  for (const group of new Set(groups)) {
    const list: LoadedList | undefined = await holder.lists.load(owner, set, group);
    named.set(group, new Set(list?.entries.map(({ shard }) => shard)));
  }
  return (group, shard) => named.get(group)?.has(shard) ?? false;
}
