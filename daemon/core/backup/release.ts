/**
 * Whether a holder may let go of a group that it is to hold no longer.
 *
 * Its owner's site names others now, and each of these says to hold in full what is published, with
 * nothing found against it. So there are never fewer copies than were wanted. One operator alone must
 * not be able to empty a holder that another one enrolled, by sites that it made up and a box that it
 * took over: where all the others are its work, the group stays.
 */
import type { OperatorId, SiteId } from "../../../protocol/ids.ts";
import type { GroupFacts } from "./group-facts.ts";
import { standingOf } from "./holder-standing.ts";

/**
 * Whether one group may go.
 *
 * @param generation - Of the newest list that this holder has of the group.
 * @param operatorOf - Who enrolled a site; undefined for one that is no member.
 */
export function mayLetGo(
  facts: GroupFacts,
  self: SiteId,
  generation: number,
  operatorOf: (site: SiteId) => OperatorId | undefined,
): boolean {
  if (facts.targets.includes(self) || facts.generation < generation) return false;
  const nobody = new Set<SiteId>();
  const others = facts.targets.filter((site) => {
    const held = facts.holding.get(site);
    return held?.list === facts.list && standingOf(facts, site, nobody) === "holds";
  });
  if (others.length < facts.copies) return false;
  const operators = new Set(others.map(operatorOf));
  return operators.size > 1 || operators.has(operatorOf(self));
}
