/**
 * What a placement that found too few sites lacks, in words: what a further site would have to be,
 * and what keeps each of those that there are from holding one copy more.
 */
import { barOf, type Bar } from "./placement-rules.ts";
import type { Candidate, Placement, PlacementRequest } from "./placement.ts";

/** What two sites share that fails together, such as `building "mill"`. */
export function sharedDomains(
  a: Pick<Candidate, "domains">,
  b: Pick<Candidate, "domains">,
): readonly string[] {
  return (["building", "power", "uplink"] as const).flatMap((kind) => {
    const value = a.domains[kind];
    return value !== "" && value === b.domains[kind] ? [`${kind} "${value}"`] : [];
  });
}

/**
 * One sentence that says what is needed, such as `Needs 1 more site in DE or FR, outside building
 * "mill", that lends space (2 have no room left, 1 is in another country).` Undefined when nothing is
 * missing.
 */
export function lackText(request: PlacementRequest, placement: Placement): string | undefined {
  const { candidates, current, from, rules, sizeBytes } = request;
  const { missing, targets } = placement;
  if (missing === 0) return undefined;
  const open = candidates.filter(({ siteId }) => {
    return siteId !== from.siteId && !targets.includes(siteId);
  });
  const bars = new Map<Bar, number>();
  const fits = open.filter((site) => {
    const bar = barOf(site, rules, sizeBytes);
    if (bar === undefined || (bar === "room" && current.includes(site.siteId))) return true;
    bars.set(bar, (bars.get(bar) ?? 0) + 1);
    return false;
  });
  const chosen = candidates.filter(({ siteId }) => targets.includes(siteId));
  // All that fit are kept away by something that they share with the owner's site or a holder.
  const blocking = fits.flatMap((site) =>
    [from, ...chosen].flatMap((other) => sharedDomains(site, other)),
  );
  const outside = [...new Set(blocking)].toSorted();
  const { allow, deny, holders } = rules;
  const wanted = [
    `Needs ${missing} more ${missing === 1 ? "site" : "sites"}`,
    ...(holders === null ? [] : ["of those that its owner names"]),
    ...(allow.length === 0 ? [] : [`in ${joined(allow.toSorted(), "or")}`]),
    ...(deny.length === 0 ? [] : [`not in ${joined(deny.toSorted(), "or")}`]),
    ...(outside.length === 0 ? [] : [`outside ${joined(outside, "and")}`]),
    `that ${missing === 1 ? "lends" : "lend"} space`,
  ];
  const why = BARS.flatMap(([bar, one, many]) => {
    const count = bars.get(bar) ?? 0;
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  });
  return `${wanted.join(" ")}${why.length === 0 ? "" : ` (${why.join(", ")})`}.`;
}

/** Whom the owner has not named is no news. */
const BARS: readonly (readonly [Exclude<Bar, "holder">, one: string, many: string])[] = [
  ["room", "has no room left", "have no room left"],
  ["lending", "lends nothing to this owner", "lend nothing to this owner"],
  ["country", "is in a country that is not wanted", "are in countries that are not wanted"],
  ["no-country", "does not say its country", "do not say their country"],
];

function joined(words: readonly string[], word: "and" | "or"): string {
  const [last = "", ...before] = words.toReversed();
  return before.length === 0 ? last : `${before.toReversed().join(", ")} ${word} ${last}`;
}
