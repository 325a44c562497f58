/**
 * Whose turn it is to have a missing copy made, without a word to one another.
 *
 * All who hold a group put one another in the same order by a hash. The first acts once the need
 * has stood for a while, the next when nothing has come of it for a day, and so on: two who see
 * different things make at worst a copy too many.
 */
import { createHash } from "node:crypto";
import type { OwnerId, SetId, SiteId } from "../../../protocol/ids.ts";

/** Keeps this hash apart from every other one; a changed rule takes the next number. */
const ORDER_DOMAIN = "pleach/repair-order/1";

export interface GroupOfSet {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly group: number;
}

/** The sites in the order in which they act. The order they come in has no influence. */
export function rendezvousOrder(
  { owner, set, group }: GroupOfSet,
  sites: Iterable<SiteId>,
): readonly SiteId[] {
  return [...new Set(sites)]
    .map((site) => {
      const text = `${ORDER_DOMAIN}\0${owner}\0${set}\0${group}\0${site}`;
      return { site, score: createHash("sha256").update(text).digest("hex") };
    })
    .toSorted((a, b) => (a.score < b.score ? 1 : -1))
    .map(({ site }) => site);
}

export interface DutyQuestion extends GroupOfSet {
  readonly self: SiteId;
  /** Live sites that hold the group in full. */
  readonly holders: Iterable<SiteId>;
  /** For how long copies have been missing and nothing was under way, in running time here. */
  readonly needMs: number;
  /** So long the owner's site is given to place the copy itself. */
  readonly settleMs: number;
  /** So long each one in the order is given. */
  readonly takeoverMs: number;
}

export function isOnDuty(question: DutyQuestion): boolean {
  const { self, holders, needMs, settleMs, takeoverMs } = question;
  const place = rendezvousOrder(question, holders).indexOf(self);
  return place !== -1 && needMs >= settleMs + place * takeoverMs;
}
