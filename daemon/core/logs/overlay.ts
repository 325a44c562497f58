/**
 * Which members a site keeps links with.
 *
 * Up to 50 sites all are linked with all. Beyond, a pure function of the set of members: they are put
 * in order on four rings, on each by another hash, and everybody is linked with the two beside it on
 * each ring. So links are mutual, nobody has more than 8, every ring alone connects all, and four of
 * them together make a random regular graph: some log_7(n) steps lead from anyone to anyone. A site
 * that comes or goes moves only the links beside it.
 *
 * Source: Law and Siu: Distributed construction of random expander networks. INFOCOM 2003.
 */
import { createHash } from "node:crypto";
import type { SiteId } from "../../../protocol/ids.ts";

/** Up to so many sites, all are linked with all. */
export const FULLY_LINKED_SITES = 50;
const RINGS = 4;
/** Keeps this hash apart from every other one; a changed rule takes the next number. */
const PLACE_DOMAIN = "pleach/overlay/1";

/**
 * @param sites - All members; with or without `self`, in any order.
 * @returns the members to be linked with: all others, or at most 8.
 */
export function neighboursOf(self: SiteId, sites: Iterable<SiteId>): ReadonlySet<SiteId> {
  const all = new Set([...sites, self]);
  const chosen = new Set(all);
  if (all.size > FULLY_LINKED_SITES) {
    chosen.clear();
    for (let ring = 0; ring < RINGS; ring++) {
      for (const beside of besideOn(ring, self, all)) chosen.add(beside);
    }
  }
  chosen.delete(self);
  return chosen;
}

function besideOn(ring: number, self: SiteId, all: ReadonlySet<SiteId>): SiteId[] {
  const order = [...all]
    .map((site) => ({ site, place: placeOn(ring, site) }))
    .toSorted((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ site }) => site);
  const at = order.indexOf(self);
  const [before, after] = [order.at(at - 1), order[(at + 1) % order.length]];
  return [before, after].filter((site) => site !== undefined);
}

/** Hex, compared as text: exact on every machine. */
function placeOn(ring: number, site: SiteId): string {
  return createHash("sha256").update(`${PLACE_DOMAIN}\0${ring}\0${site}`).digest("hex");
}
