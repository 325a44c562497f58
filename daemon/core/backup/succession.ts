/**
 * What becomes of the lists of a site that may write a data set no longer: its box was replaced, it
 * left, or the owner named another one for the set.
 *
 * The set lives on under its successor, whose lists go to the holders that *it* chooses. A holder
 * that it did not choose would keep what the former site listed for ever. It may let go under the
 * same rule as one that is replaced (release.ts), asked of the successor's groups: as many members as
 * are wanted hold them in full. Where the successor lists much less than the former site did, nothing
 * goes: it may have begun anew without having got everything back. Without a successor nothing goes
 * either: the owner may be dead, and this copy one of the last.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { ListHeader } from "../../../protocol/backup/list.ts";
import type { PlaceRecord } from "../../../protocol/logs/record.ts";
import type { Authority } from "../authority/authority.ts";
import type { View } from "../logs/view.ts";
import { groupFacts } from "./group-facts.ts";
import { overlap, type Part } from "./let-go.ts";
import { placesIn } from "./published.ts";
import { mayLetGo } from "./release.ts";
import { MOST_SHRINKING_RATIO } from "./shrinking.ts";

type Header = Pick<
  ListHeader,
  "owner" | "set" | "group" | "groups" | "by" | "generation" | "bytes"
>;
type Rights = Pick<Authority, "sites" | "delegationFor">;

/** Whether a holder may let go of a list that it has, whoever writes the set now. */
export function mayLetGoOf(view: View, authority: Rights, self: SiteId, header: Header): boolean {
  const { owner, set, group, by, generation } = header;
  const { sites } = authority;
  const members = new Set(sites.keys());
  const mayGo = (at: number, site: SiteId, least: number): boolean => {
    const facts = groupFacts(view, members, { owner, set, group: at, by: site });
    if (facts === undefined) return false;
    const isHeldHere = facts.holding.get(self)?.list === facts.list;
    // Held for the successor, its shards stay here anyway: the former site's list says nothing more.
    if (site !== by && facts.targets.includes(self)) return isHeldHere;
    return mayLetGo(facts, self, least, (one) => sites.get(one)?.operator);
  };
  const successors = successorsOf(view, authority, header);
  if (successors.length === 0) return mayGo(group, by, generation);
  return successors.every(({ author, place }) => {
    const parts = partsOf(place).filter((part) => overlap(part, header));
    return isMost(place, parts, header) && parts.every((part) => mayGo(part.group, author, 0));
  });
}

/** Sites that write the set now, in place of the one that signed the list. */
function successorsOf(view: View, { sites, delegationFor }: Rights, { owner, set, by }: Header) {
  const before = sites.has(by) ? delegationFor(owner, set, by) : undefined;
  return [...placesIn(view, set)].filter(({ set: of, author, place }) => {
    if (of !== set || author === by || place.owner !== owner || !sites.has(author)) return false;
    const now = delegationFor(owner, set, author);
    if (now === undefined) return false;
    // Who started a set keeps it, until the owner names another site for it outright.
    return before === undefined || (now.set !== null && before.set === null);
  });
}

function partsOf({ groups }: PlaceRecord): Part[] {
  return groups.map((_placed, group) => ({ group, groups: groups.length }));
}

/** Whether the successor lists most of what the former site did, in this part of the set. */
function isMost(place: PlaceRecord, parts: readonly Part[], { groups, bytes }: Header): boolean {
  if (place.groups.length === 0 || place.groups.length < place.groupCount) return false;
  const share = Math.min(1, place.groups.length / groups);
  const listed = parts.reduce((sum, { group }) => sum + (place.groups[group]?.bytes ?? 0), 0);
  return listed * share >= bytes * (1 - MOST_SHRINKING_RATIO);
}
