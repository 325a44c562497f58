/**
 * Whom the mesh lets in and dials, from what the state says: statements decide who is a member,
 * the `node` records where members can be reached.
 */
import type { SiteId } from "../../protocol/ids.ts";
import { nodeRecord, type NodeRecord } from "../../protocol/record.ts";
import type { Authority } from "../core/authority.ts";
import type { View } from "../core/view.ts";
import type { RosterEntry } from "../mesh/membership.ts";

/** What a member says about its node; undefined when it has said nothing sound. */
export function nodeOf(view: View, site: SiteId): NodeRecord | undefined {
  const entry = view.get("site", "node", site);
  return entry === undefined ? undefined : nodeRecord.safeParse(entry.value).data;
}

/**
 * All other members with their addresses.
 *
 * @param first - The member that let this site in: its address is known before its record is.
 */
export function rosterOf(
  authority: Authority,
  view: View,
  self: SiteId,
  first: RosterEntry | undefined,
): readonly RosterEntry[] {
  return [...authority.sites.keys()]
    .filter((siteId) => siteId !== self)
    .map((siteId) => {
      const told = nodeOf(view, siteId)?.addresses ?? [];
      const known = first?.siteId === siteId ? first.addresses : [];
      return { siteId, addresses: [...new Set([...told, ...known])] };
    });
}
