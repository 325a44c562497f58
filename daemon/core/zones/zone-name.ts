/**
 * What each view shows at one name: the overlay of the views, people before the inventory, and
 * contradictions settled.
 *
 * A pure function of the records of the name, so nodes with the same state say the same. Records
 * may contradict one another, because two people may edit at once.
 */
import { formatDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, TYPE } from "../../../protocol/dns/dns-type.ts";
import {
  inAllViews,
  perView,
  ZONE_VIEWS,
  type PerView,
  type ZoneView,
} from "../../../protocol/dns/zone-view.ts";
import { toHex, type SiteId } from "../../../protocol/ids.ts";
import { steer, type Steering } from "./steering.ts";
import { isSeenAt, narrowness } from "./seen-at.ts";
import type { RRset, ZoneLine, ZoneName } from "./zone.ts";

export interface NameContext {
  /** Of this node: its LAN sees the records that are for its site only. */
  readonly ownSite: SiteId;
  readonly isApex: boolean;
  /** Which sites of services are answered; default: all. */
  readonly steering?: Steering | undefined;
  /** Puts into a SOA record what depends on the zone. Default: it stays as it is. */
  readonly completeSoa?: ((soa: ZoneLine, shown: readonly ZoneLine[]) => ZoneLine) | undefined;
}

/**
 * @param written - What people wrote, at least one of these and of `derived`.
 * @param derived - What follows from the inventory; it gives way to what people wrote.
 */
export function buildName(
  owner: DnsName,
  written: readonly ZoneLine[],
  derived: readonly ZoneLine[],
  context: NameContext,
): ZoneName {
  const [only] = written;
  if (only !== undefined && written.length === 1 && derived.length === 0 && isSimple(only)) {
    return simpleName(owner, only, written);
  }
  const lines = derived.length === 0 ? written : [...written, ...derived];
  const shown = eachView<readonly ZoneLine[]>(lines, (view) =>
    completed(shownIn(view, context.ownSite, written, derived, context), context),
  );
  const warnings = written.flatMap(contestWarning);
  const stored = eachView(lines, (view) => setsOf(shown[view], warnings));
  const served = steeredSets(shown, stored, context.steering);
  const existsIn = PRESENCE[presenceOf(stored)] ?? NOWHERE;
  const kept = withoutSettled(lines, written, derived, context, warnings);
  return {
    ...{ owner, lines: kept, stored, served, existsIn },
    warnings: warnings.length === 0 ? NOTHING : [...new Set(warnings)],
  };
}

const NOTHING: readonly never[] = [];

/** Nothing can depend on where such a record is seen, or on what stands beside it. */
function isSimple({ type, view, origin }: ZoneLine): boolean {
  return (
    view === "public" && type !== TYPE.SOA && origin.kind === "edit" && origin.contested !== true
  );
}

/** The one record of a name, as nearly all names of large zones have it. */
function simpleName(owner: DnsName, line: ZoneLine, lines: readonly ZoneLine[]): ZoneName {
  const stored = inAllViews([{ owner, type: line.type, ttl: line.ttl, rdata: [line.rdata] }]);
  const existsIn = PRESENCE[7] ?? NOWHERE;
  return { owner, lines, stored, served: stored, existsIn, warnings: NOTHING };
}

function contestWarning({ owner, type, origin }: ZoneLine): string[] {
  if (origin.kind !== "edit" || origin.contested !== true) return [];
  const what = `${formatType(type)} of ${formatDnsName(owner)}`;
  return [`${what} was changed at two sites at once; the newer change counts.`];
}

/** A view without records of its own shows what the one below it does: the same object. */
function eachView<T>(lines: readonly ZoneLine[], make: (view: ZoneView) => T): PerView<T> {
  const inPublic = make("public");
  const mesh = lines.some(({ view }) => view === "mesh") ? make("mesh") : inPublic;
  const lan = lines.some(({ view }) => view === "lan") ? make("lan") : mesh;
  return { public: inPublic, mesh, lan };
}

/** One for each combination of views: the same few objects for all names. */
const PRESENCE: readonly PerView<boolean>[] = Array.from({ length: 8 }, (_, bits) => ({
  public: (bits & 1) !== 0,
  mesh: (bits & 2) !== 0,
  lan: (bits & 4) !== 0,
}));
const NOWHERE: PerView<boolean> = { public: false, mesh: false, lan: false };

function presenceOf(stored: PerView<readonly RRset[]>): number {
  return ZONE_VIEWS.reduce(
    (bits, view, index) => (stored[view].length > 0 ? bits | (1 << index) : bits),
    0,
  );
}

/**
 * What a view shows of a name, without steering.
 *
 * @param site - Whose LAN looks; undefined: one of a site without records of its own.
 */
export function shownIn(
  view: ZoneView,
  site: SiteId | undefined,
  written: readonly ZoneLine[],
  derived: readonly ZoneLine[],
  { isApex }: NameContext,
): readonly ZoneLine[] {
  const byHand = overlay(written, view, site);
  const made = derived.length === 0 ? NOTHING : overlay(derived, view, site);
  const types = new Set(byHand.map(({ type }) => type));
  const wins = ({ type }: ZoneLine): boolean =>
    // At the apex only name servers are derived, and addresses beside them are no contradiction.
    types.has(type) || (!isApex && ADDRESSING.some((each) => types.has(each)));
  const all = made.length === 0 ? byHand : [...byHand, ...made.filter((line) => !wins(line))];
  const alias = all.find(({ type }) => type === TYPE.CNAME);
  if (alias === undefined || all.every(({ type }) => type === TYPE.CNAME)) return all;
  // RFC 1034 section 3.6.2: "If a CNAME RR is present at a node, no other data should be present".
  // The other data stay: they answer more questions than the alias does.
  return all.filter(({ type }) => type !== TYPE.CNAME);
}

/** Where somebody wrote one of these, the inventory is silent about the name. */
const ADDRESSING: readonly number[] = [TYPE.A, TYPE.AAAA, TYPE.CNAME];

/** For each type the records of the narrowest place that has any: a site's own before its view's. */
function overlay(
  lines: readonly ZoneLine[],
  view: ZoneView,
  ownSite: SiteId | undefined,
): readonly ZoneLine[] {
  if (lines.every((line) => line.view === "public")) return lines;
  const place = ownSite === undefined ? { view } : { view, site: ownSite };
  const visible = lines.filter((line) => isSeenAt(line, place));
  const best = new Map<number, number>();
  for (const line of visible) {
    best.set(line.type, Math.max(best.get(line.type) ?? 0, narrowness(line)));
  }
  return visible.filter((line) => narrowness(line) === best.get(line.type));
}

function completed(shown: readonly ZoneLine[], { completeSoa }: NameContext): readonly ZoneLine[] {
  if (completeSoa === undefined) return shown;
  return shown.map((line) => (line.type === TYPE.SOA ? completeSoa(line, shown) : line));
}

/** Leaves out what no view shows, anywhere, because of other records; and says so. */
function withoutSettled(
  lines: readonly ZoneLine[],
  written: readonly ZoneLine[],
  derived: readonly ZoneLine[],
  context: NameContext,
  warnings: string[],
): readonly ZoneLine[] {
  const settles =
    derived.length > 0 || (lines.length > 1 && lines.some(({ type }) => type === TYPE.CNAME));
  const ends = settles || context.completeSoa !== undefined;
  if (!ends) return lines;
  const isDerived = new Set(derived);
  // Hundreds of lines have a few places between them.
  const atPlaces = new Map<string, ReadonlySet<ZoneLine>>();
  const isShown = (line: ZoneLine): boolean => {
    const { view, site } = line;
    const place = `${view} ${site ?? ""}`;
    const known = atPlaces.get(place);
    const shown = known ?? new Set(shownIn(view, site, written, derived, context));
    if (known === undefined) atPlaces.set(place, shown);
    return shown.has(line);
  };
  return lines.flatMap((line) => {
    if (line.type === TYPE.SOA && context.completeSoa !== undefined) {
      const shown = shownIn(line.view, line.site, written, derived, context);
      return [context.completeSoa(line, shown)];
    }
    if (line.type !== TYPE.CNAME && !isDerived.has(line)) return [line];
    if (isShown(line)) return [line];
    const name = formatDnsName(line.owner);
    if (!isDerived.has(line)) {
      warnings.push(`The CNAME of ${name} is left out: the name has other records.`);
    } else if (!context.isApex) {
      warnings.push(`${name} was written by hand, so the inventory does not fill it.`);
    }
    return [];
  });
}

/** What is answered: `stored` itself where steering has nothing to say. */
function steeredSets(
  shown: PerView<readonly ZoneLine[]>,
  stored: PerView<readonly RRset[]>,
  steering: Steering | undefined,
): PerView<readonly RRset[]> {
  const isService = ({ origin }: ZoneLine): boolean => origin.kind === "service";
  if (steering === undefined || !ZONE_VIEWS.some((view) => shown[view].some(isService))) {
    return stored;
  }
  return perView((view) => {
    const steered = steer(shown[view], view, steering);
    // Stored sets are sorted by bytes, so the own site may not be first in them.
    const isSorted = steered === shown[view] && view !== "lan";
    return isSorted ? stored[view] : setsOf(steered, [], inOrder);
  });
}

type Arrange = (rdata: ReadonlyMap<string, Uint8Array>) => readonly Uint8Array[];

/** By their bytes: in one order on every node. */
const sorted: Arrange = (rdata) =>
  [...rdata].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, bytes]) => bytes);

/** As steering has put them. */
const inOrder: Arrange = (rdata) => [...rdata.values()];

/** Record sets: one TTL each (the least), no record twice. */
function setsOf(
  shown: readonly ZoneLine[],
  warnings: string[],
  arrange: Arrange = sorted,
): readonly RRset[] {
  const [first] = shown;
  if (first === undefined) return NOTHING;
  if (shown.length === 1) return [setOf(shown, first, warnings, arrange)];
  return [...Map.groupBy(shown, ({ type }) => type).values()].flatMap((lines) =>
    lines[0] === undefined ? [] : [setOf(lines, lines[0], warnings, arrange)],
  );
}

function setOf(
  lines: readonly ZoneLine[],
  first: ZoneLine,
  warnings: string[],
  arrange: Arrange,
): RRset {
  const { owner, type } = first;
  if (lines.length === 1) return { owner, type, ttl: first.ttl, rdata: [first.rdata] };
  const ttl = Math.min(...lines.map((line) => line.ttl));
  if (lines.some((line) => line.ttl !== ttl && line.origin.kind === "edit")) {
    const what = `${formatType(type)} of ${formatDnsName(owner)}`;
    warnings.push(`${what} has records with different TTLs; the least counts (RFC 2181).`);
  }
  const rdata = new Map(lines.map((line) => [toHex(line.rdata), line.rdata]));
  return { owner, type, ttl, rdata: arrange(rdata) };
}
