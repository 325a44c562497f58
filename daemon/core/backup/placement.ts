/**
 * Which sites hold a placement group.
 *
 * The rules of the owner and the conditions of the holders bar sites outright (placement-rules.ts).
 * No two holders share a building, a power supply or an uplink, nor share one with the owner's site.
 * Of what is left, in this order: as many holders as are wanted; as many as possible of those that
 * have the group already, so that nothing moves without need; different organisations and enrolling
 * operators, none of them the owner's; the best scores of weighted rendezvous hashing: every site
 * gets tickets by the size of its offer, each ticket is scored by a hash of (set, group, site,
 * ticket), and the best one counts. So a site that leaves moves only what it held.
 *
 * Too few sites is a state of the mesh, not an error: the caller reads it in `missing`.
 *
 * Source: Thaler, Ravishankar: Using name-based mappings to increase hit rates. IEEE/ACM
 * Transactions on Networking 6(1), 1998.
 */
import { createHash } from "node:crypto";
import type { SetId, SiteId } from "../../../protocol/ids.ts";
import type { PlacementRules } from "../../../protocol/logs/record.ts";
import type { FailureDomains } from "../../../protocol/statements/site-statement.ts";
import { barOf } from "./placement-rules.ts";

/** Keeps this hash apart from every other one; a changed rule takes the next number. */
const SCORE_DOMAIN = "pleach/placement/1";
/** Tickets of a site with the median offer; four times the median is the most that counts. */
const MEDIAN_TICKETS = 4;
const MAX_TICKETS = 4 * MEDIAN_TICKETS;
/** Steps of one search for distinct domains: all combinations of three among 100 sites. */
const MAX_STEPS = 200_000;
/** Searches for one group. Holders that clash with one another are few: the first one serves. */
const MAX_SEARCHES = 256;

export interface Candidate {
  readonly siteId: SiteId;
  /** What it lends to this owner in all, in bytes: decides the weight. */
  readonly spaceBytes: number;
  /** What is left of it, in bytes. */
  readonly freeBytes: number;
  /** Whether it lends anything to this owner. */
  readonly lends: boolean;
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
  readonly rules: PlacementRules;
  /** Where the data comes from: never a holder, and its domains do not count. */
  readonly from: {
    readonly siteId: SiteId;
    readonly domains: FailureDomains;
    readonly org: string;
  };
  /** Who has the group: they stay while no rule bars them, whatever room they have left. */
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
}

/**
 * Chooses the holders of one group. The order of `candidates` has no influence.
 *
 * @throws RangeError when `copies` is not an integer of 1 or more, which is a bug in the caller.
 */
export function placeGroup(request: PlacementRequest): Placement {
  const { copies, current, from } = request;
  if (!Number.isSafeInteger(copies) || copies < 1) throw new RangeError(`copies: ${copies}`);
  const ranked = rank(request, fitting(request)).filter((site) => !clashesInDomain(site, from));
  const most = choose([], ranked, copies, clashesInDomain).length;
  const kept = ranked.filter(({ siteId }) => current.includes(siteId));
  const chosen = bestOf(kept, ranked, most, from.org);
  return {
    targets: chosen.map(({ siteId }) => siteId),
    missing: copies - chosen.length,
    concerns: concernsOf(chosen, from.org),
  };
}

/** Candidates that no rule bars; who has the group needs no more room for it. */
function fitting({ candidates, current, from, rules, sizeBytes }: PlacementRequest): Candidate[] {
  return candidates.filter((site) => {
    if (site.siteId === from.siteId) return false;
    const bar = barOf(site, rules, sizeBytes);
    return bar === undefined || (bar === "room" && current.includes(site.siteId));
  });
}

/** So many sites, as few of them new as can be, with as many wishes fulfilled as can be. */
function bestOf(
  kept: readonly Candidate[],
  ranked: readonly Candidate[],
  count: number,
  ownOrg: string,
): readonly Candidate[] {
  const others = ranked.filter((site) => !kept.includes(site));
  let searches = 0;
  for (let size = Math.min(kept.length, count); size >= 0; size--) {
    for (const stay of subsets(kept, size)) {
      if (stay.some((site, at) => stay.slice(0, at).some((one) => clashesInDomain(site, one)))) {
        continue;
      }
      // Fewer wishes each time. What two who stay have in common moves nothing.
      for (const clashes of [clashesFully, clashesInOrganisation, clashesInDomain]) {
        if (++searches > MAX_SEARCHES) return choose([], ranked, count, clashesInDomain);
        const isOwn = ({ org }: Candidate): boolean =>
          clashes !== clashesInDomain && sameOrganisation(org, ownOrg);
        const free = others.filter((site) => !isOwn(site));
        const chosen = choose(stay, free, count, clashes);
        if (chosen.length === count) return chosen;
      }
    }
  }
  return choose([], ranked, count, clashesInDomain);
}

/** All parts of a list with so many members, those with its first ones first. */
function* subsets<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  if (size === 0) yield [];
  for (let at = 0; size > 0 && at + size <= items.length; at++) {
    const [first] = items.slice(at, at + 1);
    if (first === undefined) return;
    for (const rest of subsets(items.slice(at + 1), size - 1)) yield [first, ...rest];
  }
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
 * The first set of `copies` sites in which `chosen` are and to which sites are added in ranked
 * order without a clash; else the largest one found. Sites have several domains each, so a matching
 * is not enough: this is a search, with a bound that no mesh of ours reaches.
 */
function choose(
  chosen: readonly Candidate[],
  ranked: readonly Candidate[],
  copies: number,
  clashes: (a: Candidate, b: Candidate) => boolean,
): readonly Candidate[] {
  let best: readonly Candidate[] = [];
  let steps = 0;
  const visit = (start: number, soFar: readonly Candidate[]): boolean => {
    if (soFar.length > best.length) best = soFar;
    if (best.length >= copies) return true;
    for (let index = start; index < ranked.length; index++) {
      const site = ranked[index];
      if (site === undefined || ++steps > MAX_STEPS) return false;
      if (soFar.length + ranked.length - index <= best.length) return false;
      if (soFar.some((other) => clashes(site, other))) continue;
      if (visit(index + 1, [...soFar, site])) return true;
    }
    return false;
  };
  visit(0, chosen);
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
