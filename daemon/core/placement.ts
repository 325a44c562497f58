/**
 * Which sites hold a placement group.
 *
 * Weighted rendezvous hashing: every site gets tickets by the size of its offer, each ticket is
 * scored by a hash of (set, group, site, ticket), and the best score of a site counts. So a site
 * that leaves moves only what it held. No two holders share a building, a power supply or an
 * uplink, nor share one with the owner's site. A holder that was chosen stays while it may.
 *
 * Too few sites is a state of the mesh, not an error: the caller reads it in `missing`.
 *
 * Source: Thaler, Ravishankar: Using name-based mappings to increase hit rates. IEEE/ACM
 * Transactions on Networking 6(1), 1998.
 */
import { createHash } from "node:crypto";
import type { SetId, SiteId } from "../../protocol/ids.ts";
import type { FailureDomains } from "../../protocol/site-statement.ts";

/** Keeps this hash apart from every other one; a changed rule takes the next number. */
const SCORE_DOMAIN = "pleach/placement/1";
/** Tickets of a site with the median offer; four times the median is the most that counts. */
const MEDIAN_TICKETS = 4;
const MAX_TICKETS = 4 * MEDIAN_TICKETS;
/** Steps of the search for distinct domains: all combinations of three among 100 sites. */
const MAX_STEPS = 200_000;

export interface Candidate {
  readonly siteId: SiteId;
  /** The whole offer, in bytes: decides the weight. */
  readonly spaceBytes: number;
  /** What is left of it, in bytes. */
  readonly freeBytes: number;
  readonly domains: FailureDomains;
  readonly org: string;
  /** Who enrolled the site. */
  readonly operator: string;
}

export interface PlacementRequest {
  readonly set: SetId;
  readonly group: number;
  readonly sizeBytes: number;
  /** How many remote sites should hold the group: 1 or more. */
  readonly copies: number;
  /** Where the data comes from: never a holder, and its domains do not count. */
  readonly from: {
    readonly siteId: SiteId;
    readonly domains: FailureDomains;
    readonly org: string;
  };
  /** Holders chosen before: they stay while they are candidates, whatever room they have left. */
  readonly current: readonly SiteId[];
  readonly candidates: readonly Candidate[];
}

/** What weakens a placement without making it unsafe. */
export type PlacementConcern = "same-operator" | "same-organisation";

export interface Placement {
  /** Kept holders first, then new ones, best score first; no site twice. */
  readonly targets: readonly SiteId[];
  /** Copies that no site is left for; above 0 the group is at risk. */
  readonly missing: number;
  readonly concerns: readonly PlacementConcern[];
  /** Candidates that only lack room. */
  readonly withoutRoom: number;
}

/**
 * Chooses the holders of one group. The order of `candidates` has no influence.
 *
 * @throws RangeError when `copies` is not an integer of 1 or more, which is a bug in the caller.
 */
export function placeGroup(request: PlacementRequest): Placement {
  const { copies, current, from } = request;
  if (!Number.isSafeInteger(copies) || copies < 1) throw new RangeError(`copies: ${copies}`);
  const others = request.candidates.filter(({ siteId }) => siteId !== from.siteId);
  const fits = others.filter(
    ({ siteId, freeBytes }) => current.includes(siteId) || freeBytes >= request.sizeBytes,
  );
  const ranked = rank(request, fits);
  let best: readonly Candidate[] = [];
  // Fewer wishes each time; the first answer with the most holders is taken.
  for (const clashes of [clashesFully, clashesInOrganisation, clashesInDomain]) {
    const chosen = choose(ranked, copies, (site, chosenSoFar) => {
      if (clashesInDomain(site, from)) return true;
      if (clashes !== clashesInDomain && sameOrganisation(site.org, from.org)) return true;
      return chosenSoFar.some((other) => clashes(site, other));
    });
    if (chosen.length > best.length) best = chosen;
    if (best.length === copies) break;
  }
  return {
    targets: best.map(({ siteId }) => siteId),
    missing: copies - best.length,
    concerns: concernsOf(best, from.org),
    withoutRoom: others.length - fits.length,
  };
}

function rank(request: PlacementRequest, fits: readonly Candidate[]): readonly Candidate[] {
  const sizes = fits.map(({ spaceBytes }) => spaceBytes).toSorted((a, b) => a - b);
  const median = sizes[Math.floor(sizes.length / 2)] ?? 0;
  const place = ({ siteId }: Candidate): number => {
    const index = request.current.indexOf(siteId);
    return index === -1 ? request.current.length : index;
  };
  return fits
    .map((site) => ({ site, place: place(site), score: bestScore(request, site, median) }))
    .toSorted((a, b) => a.place - b.place || (a.score < b.score ? 1 : -1))
    .map(({ site }) => site);
}

/** Hex, compared as text: exact on every machine, where floating-point weights need not be. */
function bestScore(request: PlacementRequest, site: Candidate, medianBytes: number): string {
  const share = medianBytes === 0 ? 1 : site.spaceBytes / medianBytes;
  const tickets = Math.min(MAX_TICKETS, Math.max(1, Math.round(share * MEDIAN_TICKETS)));
  let best = "";
  for (let ticket = 0; ticket < tickets; ticket++) {
    const text = `${SCORE_DOMAIN}\0${request.set}\0${request.group}\0${site.siteId}\0${ticket}`;
    const score = createHash("sha256").update(text).digest("hex");
    if (score > best) best = score;
  }
  return best;
}

/**
 * The first set of `copies` sites, in ranked order, in which no two clash; else the largest one
 * found. Sites have several domains each, so a matching is not enough: this is a search, with a
 * bound that no mesh of ours reaches.
 */
function choose(
  ranked: readonly Candidate[],
  copies: number,
  clashes: (site: Candidate, chosen: readonly Candidate[]) => boolean,
): readonly Candidate[] {
  let best: readonly Candidate[] = [];
  let steps = 0;
  const visit = (start: number, chosen: readonly Candidate[]): boolean => {
    if (chosen.length > best.length) best = chosen;
    if (best.length === copies) return true;
    for (let index = start; index < ranked.length; index++) {
      const site = ranked[index];
      if (site === undefined || ++steps > MAX_STEPS) return false;
      if (chosen.length + ranked.length - index <= best.length) return false;
      if (!clashes(site, chosen) && visit(index + 1, [...chosen, site])) return true;
    }
    return false;
  };
  visit(0, []);
  return best;
}

function clashesInDomain(
  a: { readonly domains: FailureDomains },
  b: { readonly domains: FailureDomains },
): boolean {
  const same = (x: string, y: string): boolean => x !== "" && x === y;
  return (
    same(a.domains.building, b.domains.building) ||
    same(a.domains.power, b.domains.power) ||
    same(a.domains.uplink, b.domains.uplink)
  );
}

function clashesInOrganisation(a: Candidate, b: Candidate): boolean {
  return clashesInDomain(a, b) || sameOrganisation(a.org, b.org);
}

function clashesFully(a: Candidate, b: Candidate): boolean {
  return clashesInOrganisation(a, b) || a.operator === b.operator;
}

/** An organisation that is not given is like nobody else's. */
function sameOrganisation(a: string, b: string): boolean {
  return a !== "" && a === b;
}

function concernsOf(chosen: readonly Candidate[], ownOrg: string): readonly PlacementConcern[] {
  const operators = new Set(chosen.map(({ operator }) => operator));
  const given = [ownOrg, ...chosen.map(({ org }) => org)].filter((org) => org !== "");
  return [
    ...(operators.size < chosen.length ? (["same-operator"] as const) : []),
    ...(new Set(given).size < given.length ? (["same-organisation"] as const) : []),
  ];
}
