/** Whether a list may be taken in: pure questions to the authority and to what is held already. */
import type { Authority } from "../../../core/authority/authority.ts";
import { groupFacts } from "../../../core/backup/group-facts.ts";
import { placeOf } from "../../../core/backup/published.ts";
import { coHolders } from "../../../core/backup/holder-standing.ts";
import type { View } from "../../../core/logs/view.ts";
import { groupKey } from "../../../../protocol/logs/hold-record.ts";
import type { MeshId, OwnerId, SetId, SiteId } from "../../../../protocol/ids.ts";
import type { ListHeader } from "../../../../protocol/backup/list.ts";
import type { Refusal } from "../../../../protocol/messages/shard-message.ts";
import type { KnownList } from "./list-store.ts";

export interface ListOffer {
  readonly header: ListHeader;
  /** Whoever brought it: the site that signed, or a co-holder that passes it on. */
  readonly from: SiteId;
  /** This site. */
  readonly self: SiteId;
  readonly mesh: MeshId | undefined;
  readonly authority: Authority;
  readonly view: View;
  /** The newest list of the group that is held. */
  readonly known: KnownList | undefined;
  /** Whether the offered list is that very list. */
  readonly same: boolean;
}

/**
 * A generation may be so much above the one before, or above 2^40 in a group that is new here. No
 * site ever gets there; a box that was taken over could else use the numbers up.
 */
const MOST_STEP = 2 ** 20;
const MOST_FIRST = 2 ** 40;

/** Undefined when the list may be taken in. */
export function refusalOf(offer: ListOffer): { why: Refusal; value: number } | undefined {
  const { header, known, authority } = offer;
  if (header.mesh !== offer.mesh) return { why: "mesh", value: 0 };
  const delegation = authority.delegationFor(header.owner, header.set, header.by);
  if (delegation === undefined || !authority.sites.has(header.by)) {
    return { why: "right", value: 0 };
  }
  // Several sites of an owner may start sets of their own; who started this one keeps it, until
  // the owner names another site for it outright.
  if (known !== undefined && known.header.by !== header.by && delegation.set === null) {
    const before = authority.delegationFor(header.owner, header.set, known.header.by);
    if (before !== undefined && authority.sites.has(known.header.by)) {
      return { why: "right", value: 0 };
    }
  }
  if (offer.from !== header.by && !isTarget(offer.view, header, offer.self)) {
    return { why: "target", value: 0 };
  }
  if (known !== undefined && !offer.same && known.header.by === header.by) {
    if (header.generation <= known.header.generation) {
      return { why: "newer", value: known.header.generation };
    }
  }
  const isSameSite = known?.header.by === header.by;
  const highest = isSameSite ? known.header.generation + MOST_STEP : MOST_FIRST;
  if (header.generation > highest) return { why: "step", value: highest };
  return undefined;
}

/** Whether the `place` record of the site that signs names this site for the group. */
function isTarget(view: View, header: ListHeader, self: SiteId): boolean {
  return targetsOf(view, header).includes(self);
}

/** The targets of a list's group, as the site that signed it has published them. */
export function targetsOf(view: View, header: ListHeader): readonly SiteId[] {
  const place = placeOf(view, header.set, header.by);
  if (place?.owner !== header.owner) return [];
  return place.groups[header.group]?.targets ?? [];
}

/** Whether a site works for the owner: then what it asks for, a person of the owner may wait for. */
export function isOwnersSite(
  peer: SiteId,
  owner: OwnerId,
  set: SetId,
  authority: Authority,
): boolean {
  if (authority.delegationFor(owner, set, peer) !== undefined) return true;
  return authority.delegations.some((one) => one.owner === owner && one.site === peer);
}

/** Who may fetch and ask about a set: its site, its owner's other sites, its holders old and new. */
export function mayFetch(
  peer: SiteId,
  owner: OwnerId,
  set: SetId,
  authority: Authority,
  view: View,
  lists: readonly KnownList[],
): boolean {
  if (isOwnersSite(peer, owner, set, authority)) return true;
  if (lists.some(({ header }) => targetsOf(view, header).includes(peer))) return true;
  const members = new Set(authority.sites.keys());
  return lists.some(({ header: { group, by } }) => {
    if (view.entries("hold", groupKey("repair", owner, set, group)).length === 0) return false;
    const facts = groupFacts(view, members, { owner, set, group, by });
    return facts !== undefined && coHolders(facts).includes(peer);
  });
}
