/**
 * What this node serves under the name of a fallback.
 *
 * Read from the state and not from built zones, since these are built with it. Where the state is not
 * clear, such as at a name that only a wildcard covers, nothing is said to be there: then the
 * fallback is not used, which never hurts.
 */
import {
  countLabels,
  formatRelative,
  labelKeys,
  lowerCase,
  parentName,
  readDnsName,
  sameName,
  type DnsName,
} from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { PleachError } from "../../../protocol/error.ts";
import { readZoneRecord, zoneKeyPrefix } from "../../../protocol/dns/zone-record.ts";
import {
  perView,
  type PerView,
  type ViewPlace,
  type ZoneView,
} from "../../../protocol/dns/zone-view.ts";
import type { View } from "../logs/view.ts";
import { isSeenAt } from "./seen-at.ts";
import type { FallbackRecord } from "./steering.ts";
import type { ZoneLine } from "./zone.ts";
import { linesOfNode, linesOfService, type InventoryState } from "./zone-inventory.ts";
import { shownIn } from "./zone-name.ts";

const WANTED: ReadonlySet<number> = new Set<number>([TYPE.A, TYPE.AAAA, TYPE.CNAME]);
/** Longer rows of aliases are not followed: as if they went on elsewhere. */
const MAX_ALIASES = 8;

/**
 * The addresses and aliases of the name in each view. None, too, where its aliases lead to a name that is
 * not there. Undefined: no zone here holds the name in that view, or it delegates it.
 *
 * @param isUp - Of a service that the fallback is a name of, the sites that are up are preferred.
 */
export function fallbackHere(
  name: DnsName,
  state: InventoryState,
  isUp: (line: ZoneLine) => boolean,
): PerView<readonly FallbackRecord[] | undefined> {
  return perView((view) => {
    const lines = linesHere(name, view, state);
    if (lines === undefined) return undefined;
    return isDeadEnd(lines, view, state, MAX_ALIASES) ? [] : preferred(lines, isUp);
  });
}

function isDeadEnd(
  lines: readonly ZoneLine[],
  view: ZoneView,
  state: InventoryState,
  left: number,
): boolean {
  const alias = lines.find(({ type }) => type === TYPE.CNAME);
  if (alias === undefined || left === 0) return lines.length === 0;
  const target = readDnsName(alias.rdata, 0);
  const next = target && linesHere(target, view, state);
  return next !== undefined && isDeadEnd(next, view, state, left - 1);
}

/** The deepest zone above the name that is shown at the place; undefined: none, or it delegates the name. */
export function zoneHere(view: View, name: DnsName, place: ViewPlace): DnsName | undefined {
  for (let up = 0; up < countLabels(name); up++) {
    const above = lowerCase(parentName(name, up));
    if (isZone(view, above, place)) return isLedAway(view, above, name, place) ? undefined : above;
  }
  return undefined;
}

function isZone(view: View, apex: DnsName, place: ViewPlace): boolean {
  const soas = readLines(view, `${zoneKeyPrefix(apex)}@/SOA/`);
  return soas.some((soa) => isSeenAt(soa, place));
}

function isLedAway(view: View, apex: DnsName, name: DnsName, place: ViewPlace): boolean {
  const depth = countLabels(name) - countLabels(apex);
  return Array.from({ length: depth }, (_, up) => parentName(name, up)).some((above) => {
    const types: readonly number[] = sameName(above, name) ? [TYPE.NS] : [TYPE.NS, TYPE.DNAME];
    return written(apex, above, view).some(
      (line) => types.includes(line.type) && isSeenAt(line, place),
    );
  });
}

function linesHere(
  name: DnsName,
  view: ZoneView,
  state: InventoryState,
): readonly ZoneLine[] | undefined {
  const { ownSite } = state;
  const place: ViewPlace = view === "lan" ? { view, site: ownSite } : { view };
  const apex = zoneHere(state.view, name, place);
  if (apex === undefined) {
    // What only the LAN knows of is no answer for others: they would learn that it exists.
    const isInner = zoneHere(state.view, name, { view: "lan", site: ownSite }) !== undefined;
    return isInner ? [] : undefined;
  }
  const context = { ownSite, isApex: name.length === apex.length };
  const byHand = written(apex, name, state.view).filter(({ type }) => WANTED.has(type));
  return shownIn(view, ownSite, byHand, derived(apex, name, state), context);
}

function written(apex: DnsName, name: DnsName, view: View): readonly ZoneLine[] {
  return readLines(view, `${zoneKeyPrefix(apex)}${formatRelative(lowerCase(name), apex)}/`);
}

/** @param prefix - Of the keys. */
function readLines(view: View, prefix: string): readonly ZoneLine[] {
  return view.entries("zone", prefix).flatMap(({ key, value }) => {
    try {
      return [{ ...readZoneRecord(key, value), origin: { kind: "default" } as const }];
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      return [];
    }
  });
}

function derived(apex: DnsName, name: DnsName, state: InventoryState): readonly ZoneLine[] {
  const [first = "", second] = labelKeys(name);
  const site = second === "node" ? state.sites.find((each) => each.name === first) : undefined;
  const lines = [
    ...linesOfService(apex, state, first),
    ...(site === undefined ? [] : linesOfNode(apex, state, site)),
  ];
  return lines.filter(({ owner, type }) => WANTED.has(type) && sameName(owner, name));
}

function preferred(
  lines: readonly ZoneLine[],
  isUp: (line: ZoneLine) => boolean,
): readonly FallbackRecord[] {
  const up = lines.filter(isUp);
  return (up.length > 0 ? up : lines).map(({ type, ttl, rdata }) => ({ type, ttl, rdata }));
}
