/**
 * What a placement that found too few sites lacks, in words: which sites there are, and what
 * keeps each of them from holding one copy more.
 */
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
 * One sentence that says what is needed, such as `Needs 1 more site outside building "mill" that
 * lends space elsewhere (2 have no room left).` Undefined when nothing is missing.
 */
export function lackText(request: PlacementRequest, placement: Placement): string | undefined {
  const { missing, targets, withoutRoom } = placement;
  if (missing === 0) return undefined;
  const chosen = request.candidates.filter(({ siteId }) => targets.includes(siteId));
  const fits = request.candidates.filter(({ siteId, freeBytes }) => {
    const isOther = siteId !== request.from.siteId && !targets.includes(siteId);
    return isOther && freeBytes >= request.sizeBytes;
  });
  // All that fit are kept away by something that they share with the owner's site or a holder.
  const blocking = fits.flatMap((site) =>
    [request.from, ...chosen].flatMap((other) => sharedDomains(site, other)),
  );
  const outside = [...new Set(blocking)].toSorted();
  const where = outside.length === 0 ? "" : ` outside ${joined(outside)}`;
  const sites = `${missing} more ${missing === 1 ? "site" : "sites"}`;
  const room = withoutRoom === 0 ? "" : ` (${withoutRoom} have no room left)`;
  return `Needs ${sites}${where} that lend${missing === 1 ? "s" : ""} space elsewhere${room}.`;
}

function joined(words: readonly string[]): string {
  const [last = "", ...before] = words.toReversed();
  return before.length === 0 ? last : `${before.toReversed().join(", ")} and ${last}`;
}
