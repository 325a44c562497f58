/** What is in a zone, in words: lists and zone files. */
import { formatRelative, type DnsName } from "../../protocol/dns/dns-name.ts";
import { formatType } from "../../protocol/dns/dns-type.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import { formatZoneFile } from "../../protocol/dns/zone-file-text.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { linesShown } from "../core/zones/name-lines.ts";
import { linesOf, storedSets, type Zone, type ZoneLine } from "../core/zones/zone.ts";

export interface ReportPort {
  /** Of this node: its LAN sees what is for its site only. */
  readonly ownSite: SiteId;
  siteName(siteId: SiteId): string | undefined;
  /** The other sites that have confirmed to hold this record; undefined when it is not known. */
  confirmedBy(key: string): readonly SiteId[] | undefined;
}

export interface ListedRecord {
  /** Relative to the zone, `@` for the zone itself. */
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly data: string;
  readonly view: ZoneView;
  /** Whose LAN alone is shown it; null for all that see the view. */
  readonly viewSite: string | null;
  readonly origin: "edit" | "service" | "node" | "default";
  /** Who wrote it, or whose service or server it is. */
  readonly site: string | null;
  readonly service: string | null;
  /** The TSIG key whose update wrote it. */
  readonly tsig: string | null;
  /** Written here, and no other site has confirmed it yet. */
  readonly provisional: boolean;
}

/** @param view - Lists what it shows; without it, the records of all views. */
export function listZone(zone: Zone, port: ReportPort, view?: ZoneView): ListedRecord[] {
  const lines =
    view === undefined
      ? linesOf(zone)
      : zone.names.values().flatMap((name) => linesShown(name, view, port.ownSite));
  return [...lines]
    .map((line) => listedLine(line, zone.apex, port))
    .toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

function sortKey({ name, type, data, view }: ListedRecord): string {
  const labels = name === "@" ? [] : name.split(".").toReversed();
  return [...labels, "", type === "SOA" ? "" : type, data, view].join("\0");
}

/** One record of a zone. */
export function listedLine(line: ZoneLine, apex: DnsName, port: ReportPort): ListedRecord {
  const { origin } = line;
  const site =
    origin.kind === "default" ? undefined : origin.kind === "edit" ? origin.author : origin.site;
  return {
    name: formatRelative(line.owner, apex),
    type: formatType(line.type),
    ttl: line.ttl,
    data: formatRdata(line.type, line.rdata),
    view: line.view,
    viewSite: line.site === undefined ? null : (port.siteName(line.site) ?? line.site),
    origin: origin.kind,
    site: site === undefined ? null : (port.siteName(site) ?? site),
    service: origin.kind === "service" ? origin.service : null,
    tsig: (origin.kind === "edit" ? origin.tsig : undefined) ?? null,
    provisional: origin.kind === "edit" && port.confirmedBy(origin.key)?.length === 0,
  };
}

/** A zone file (RFC 1035 section 5) of what a view has, the SOA first. */
export function exportZone(zone: Zone, view: ZoneView): string {
  const names = zone.names.values();
  return formatZoneFile(zone.apex, [...storedSets({ soa: zone.soa, names }, view)]);
}
