/**
 * What this node serves under the name of a fallback.
 *
 * Read from the state and not from built zones, since these are built with it.
 */
import {
  countLabels,
  formatRelative,
  labelKeys,
  lowerCase,
  parentName,
  sameName,
  type DnsName,
} from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { PleachError } from "../../../protocol/error.ts";
import { readZoneRecord, zoneKeyPrefix } from "../../../protocol/dns/zone-record.ts";
import { perView, type PerView } from "../../../protocol/dns/zone-view.ts";
import type { View } from "../logs/view.ts";
import type { FallbackRecord } from "./steering.ts";
import type { ZoneLine } from "./zone.ts";
import { linesOfNode, linesOfService, type InventoryState } from "./zone-inventory.ts";
import { shownIn } from "./zone-name.ts";

const WANTED: ReadonlySet<number> = new Set<number>([TYPE.A, TYPE.AAAA, TYPE.CNAME]);

/** The zone of the mesh that holds the name; undefined: none does, or it delegates the name. */
export function zoneHere(view: View, name: DnsName): DnsName | undefined {
  for (let up = 0; up < countLabels(name); up++) {
    const above = lowerCase(parentName(name, up));
    if (view.entries("zone", `${zoneKeyPrefix(above)}@/SOA/`).length > 0) {
      return isLedAway(view, above, name) ? undefined : above;
    }
  }
  return undefined;
}

function isLedAway(view: View, apex: DnsName, name: DnsName): boolean {
  const depth = countLabels(name) - countLabels(apex);
  return Array.from({ length: depth }, (_, up) => parentName(name, up)).some((above) => {
    const place = `${zoneKeyPrefix(apex)}${formatRelative(lowerCase(above), apex)}/`;
    const isAlias = !sameName(above, name) && view.entries("zone", `${place}DNAME/`).length > 0;
    return isAlias || view.entries("zone", `${place}NS/`).length > 0;
  });
}

/**
 * The addresses and aliases of the name in each view; undefined: no zone here holds it.
 *
 * @param isUp - Of a service that the fallback is a name of, the sites that are up are preferred.
 */
export function fallbackHere(
  name: DnsName,
  state: InventoryState,
  isUp: (line: ZoneLine) => boolean,
): PerView<readonly FallbackRecord[]> | undefined {
  const apex = zoneHere(state.view, name);
  if (apex === undefined) return undefined;
  const lines = [written(apex, name, state), derived(apex, name, state)] as const;
  const { ownSite } = state;
  const context = { ownSite, isApex: name.length === apex.length };
  return perView((view) => preferred(shownIn(view, ownSite, ...lines, context), isUp));
}

function written(apex: DnsName, name: DnsName, { view }: InventoryState): readonly ZoneLine[] {
  const place = `${zoneKeyPrefix(apex)}${formatRelative(lowerCase(name), apex)}/`;
  return view.entries("zone", place).flatMap(({ key, value }) => {
    try {
      const record = readZoneRecord(key, value);
      return WANTED.has(record.type) ? [{ ...record, origin: { kind: "default" } as const }] : [];
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
