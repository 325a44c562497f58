/**
 * Whom the mesh lets in and dials, from what the state says: statements decide who is a member,
 * the `node` records where members can be reached.
 */
import type { SiteId } from "../../protocol/ids.ts";
import { parseGroupKey, repairRecord } from "../../protocol/logs/hold-record.ts";
import { nodeRecord, type NodeRecord } from "../../protocol/logs/record.ts";
import type { Authority } from "../core/authority/authority.ts";
import { placesIn } from "../core/backup/published.ts";
import type { View } from "../core/logs/view.ts";
import type { RosterEntry } from "../mesh/membership.ts";

/** What a member says about its node; undefined when it has said nothing sound. */
export function nodeOf(view: View, site: SiteId): NodeRecord | undefined {
  const entry = view.get("site", "node", site);
  return entry === undefined ? undefined : nodeRecord.safeParse(entry.value).data;
}

/**
 * Sites that this one's data is placed at, those whose data is placed here, and those that hold
 * the same: they audit one another, and one gives to the other what is lost.
 */
function partnersOf(view: View, self: SiteId): ReadonlySet<SiteId> {
  const partners = new Set<SiteId>();
  const sets = new Map<string, Set<SiteId>>();
  for (const { set, author, place } of placesIn(view)) {
    const targets = new Set(place.groups.flatMap((group) => group.targets));
    sets.set(set, (sets.get(set) ?? new Set([author])).union(targets));
  }
  for (const { key, author, value } of view.entries("hold", "repair/")) {
    const name = parseGroupKey("repair", key);
    const repair = repairRecord.safeParse(value);
    if (name === undefined || !repair.success || sets.get(name.set)?.has(author) !== true) continue;
    for (const to of repair.data.to) sets.get(name.set)?.add(to);
  }
  for (const sites of sets.values()) {
    if (sites.has(self)) for (const site of sites) partners.add(site);
  }
  partners.delete(self);
  return partners;
}

/**
 * All other members with their addresses; none once this site is expelled or replaced for good. Who
 * has left goes on: the others have to hear of it.
 *
 * @param first - The member that let this site in: its address is known before its record is.
 */
export function rosterOf(
  authority: Authority,
  view: View,
  self: SiteId,
  first: RosterEntry | undefined,
): readonly RosterEntry[] {
  const end = authority.endedSites.get(self)?.ended.kind;
  if ((end === "revoked" || end === "replaced") && !authority.epoch.contested) return [];
  const partners = partnersOf(view, self);
  return [...authority.sites.keys()]
    .filter((siteId) => siteId !== self)
    .map((siteId) => {
      const told = nodeOf(view, siteId)?.addresses ?? [];
      const known = first?.siteId === siteId ? first.addresses : [];
      const isPartner = partners.has(siteId) || first?.siteId === siteId;
      return { siteId, addresses: [...new Set([...told, ...known])], isPartner };
    });
}
