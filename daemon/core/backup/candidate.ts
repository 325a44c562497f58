/** What placement has to know of a member, from its SITE statement, its offer and what lies there. */
import type { OfferRecord } from "../../../protocol/logs/record.ts";
import type { OwnerId, SiteId } from "../../../protocol/ids.ts";
import type { Authority, Site } from "../authority/authority.ts";
import { termsFor } from "./lending.ts";
import type { Candidate } from "./placement.ts";
import type { View } from "../logs/view.ts";
import { placesIn } from "./published.ts";

/**
 * @param offer - What the site says to lend. Undefined: unknown as yet, which is no bar to a copy
 *   that it has.
 * @param placed - From {@link placedBytes}: what the owner has at each site already.
 */
export function candidateOf(
  { siteId, domains, org, operator }: Site,
  offer: OfferRecord | undefined,
  owner: OwnerId,
  placed: ReadonlyMap<SiteId, number>,
): Candidate {
  const site = { siteId, domains, org, operator };
  if (offer === undefined) return { ...site, lends: true, spaceBytes: 0, freeBytes: 0 };
  const terms = termsFor(offer, owner);
  if (terms === undefined) return { ...site, lends: false, spaceBytes: 0, freeBytes: 0 };
  const ownBytes = terms.capBytes - (placed.get(siteId) ?? 0);
  const freeBytes = Math.max(0, Math.min(offer.spaceBytes - offer.usedBytes, ownBytes));
  return { ...site, lends: true, spaceBytes: terms.capBytes, freeBytes };
}

/** What an owner's sites have placed at each site, in bytes. Nobody else's word counts. */
export function placedBytes(
  view: View,
  authority: Pick<Authority, "delegationFor">,
  owner: OwnerId,
): Map<SiteId, number> {
  const sums = new Map<SiteId, number>();
  for (const { set, author, place } of placesIn(view)) {
    if (place.owner !== owner) continue;
    if (authority.delegationFor(owner, set, author) === undefined) continue;
    for (const { targets, bytes } of place.groups) {
      for (const site of targets) sums.set(site, (sums.get(site) ?? 0) + bytes);
    }
  }
  return sums;
}
