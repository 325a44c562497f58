/**
 * Names that follow from the inventory, in every zone that a service wants to be named in.
 *
 * `SERVICE.ZONE` is at all sites that run the service, `SERVICE.SITE.ZONE` at one, and
 * `SITE.node.ZONE` is the server of a site. Named ports give SRV records, an `https` port other
 * than 443 an HTTPS record, so that browsers find it. Sites that answer DNS are the zone's name
 * servers unless somebody wrote others.
 *
 * Services and servers may be reached at other addresses from the mesh, and from the LAN of their own site. A
 * view shows all sites, each by the most specific addresses that it has for that view; what a less
 * specific view shows already is not said again.
 */
import { parseDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { PleachError } from "../../../protocol/error.ts";
import { toHex, type SiteId } from "../../../protocol/ids.ts";
import { parseIpv4, parseIpv6 } from "../../../protocol/ip-address.ts";
import { nodeRecord, serviceRecord, type ServiceRecord } from "../../../protocol/logs/record.ts";
import { parseRdata } from "../../../protocol/dns/rdata.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import { ZONE_VIEWS, type ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { View } from "../logs/view.ts";
import type { RecordOrigin, ZoneLine } from "./zone.ts";

export interface NamedSite {
  readonly siteId: SiteId;
  /** A DNS label. */
  readonly name: string;
}

/** What the names are made of. */
export interface InventoryState {
  readonly view: View;
  /** The members with their names. */
  readonly sites: readonly NamedSite[];
  /** Whose LAN is shown. */
  readonly ownSite: SiteId;
}

/** A service at one site. */
interface Instance {
  readonly site: NamedSite;
  readonly service: ServiceRecord;
}

/** A moved service is found again within a minute. */
const SERVICE_TTL_SECONDS = 60;
const NODE_TTL_SECONDS = 300;
/** In the LAN of a site that runs the service itself: the others are for when it is away. */
const FARTHER_PRIORITY = 10;

type Add = (owner: string, type: number, ttl: number, data: string, origin: RecordOrigin) => void;

/** In no particular order, possibly with the same record of two origins. */
export function inventoryLines(apex: DnsName, state: InventoryState): readonly ZoneLine[] {
  const byName = Map.groupBy(instances(apex, state, ""), ({ service }) => service.name);
  return [
    ...byView(state.ownSite, (seenFrom) =>
      state.sites.flatMap((site) => nodeIn(seenFrom, apex, state.view, site, state.ownSite)),
    ),
    ...[...byName.values()].flatMap((its) => serviceLines(apex, its, state.ownSite)),
  ];
}

/** All that {@link inventoryLines} reads of the state: while it is the same, so are the lines. */
export function inventoryText({ view, sites, ownSite }: InventoryState): string {
  const records = view
    .entries("site")
    .flatMap(({ key, author, versionId }) =>
      key === "node" || key.startsWith("service/") ? `${key} ${author} ${versionId}` : [],
    );
  const names = sites.map(({ siteId, name }) => `${siteId} ${name}`);
  return [ownSite, ...records, "", ...names].join("\n");
}

/** The lines of one service: `SERVICE.ZONE` and all names that go with it. */
export function linesOfService(
  apex: DnsName,
  state: InventoryState,
  name: string,
): readonly ZoneLine[] {
  const its = instances(apex, state, name).filter(({ service }) => service.name === name);
  return serviceLines(apex, its, state.ownSite);
}

/** @param prefix - Of the names that are wanted. */
function instances(
  apex: DnsName,
  { view, sites }: InventoryState,
  prefix: string,
): readonly Instance[] {
  const bySite = new Map(sites.map((site) => [site.siteId, site]));
  return view.entries("site", `service/${prefix}`).flatMap(({ key, author, value }) => {
    const site = bySite.get(author);
    const service = serviceRecord.safeParse(value).data;
    if (site === undefined || service === undefined || key !== `service/${service.name}`) return [];
    return isLabel(service.name) && wantsZone(service, apex) ? [{ site, service }] : [];
  });
}

function isLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

function wantsZone({ zones }: ServiceRecord, apex: DnsName): boolean {
  return (
    zones === undefined ||
    zones.some((zone) => zone.toLowerCase().replace(/\.$/, "") === zoneText(apex))
  );
}

/** The server of a site: `SITE.node.ZONE`, and it as a name server of the zone. */
export function linesOfNode(
  apex: DnsName,
  { view, ownSite }: InventoryState,
  site: NamedSite,
): readonly ZoneLine[] {
  return byView(ownSite, (seenFrom) => nodeIn(seenFrom, apex, view, site, ownSite));
}

function nodeIn(
  seenFrom: ZoneView,
  apex: DnsName,
  view: View,
  site: NamedSite,
  ownSite: SiteId,
): readonly ZoneLine[] {
  const node = nodeRecord.safeParse(view.get("site", "node", site.siteId)?.value).data;
  if (node === undefined) return [];
  const isHome = seenFrom === "lan" && site.siteId === ownSite;
  const answering = (of: ZoneView): string[] =>
    node.dns.flatMap((each) => ((each.view ?? "public") === of ? each.address : []));
  const dns = [
    isHome ? answering("lan") : [],
    seenFrom === "public" ? [] : answering("mesh"),
    answering("public"),
  ];
  const listened = node.addresses.flatMap((text) => /^\/ip[46]\/([^/]+)\//.exec(text)?.[1] ?? []);
  const [near = [], inner = [], open = []] = dns;
  const known = (addresses: readonly string[]): string[] =>
    addresses.filter((address) => !isUnspecified(address));
  const addresses = new Set(nearest([known(near), known(inner), known([...open, ...listened])]));
  const lines: ZoneLine[] = [];
  const add = adding(apex, seenFrom, lines);
  const origin: RecordOrigin = { kind: "node", site: site.siteId };
  const name = `${site.name}.node`;
  for (const address of addresses) {
    add(name, addressType(address), NODE_TTL_SECONDS, address, origin);
  }
  const answers = dns.some((each) => each.length > 0) && addresses.size > 0;
  if (answers) add("@", TYPE.NS, NODE_TTL_SECONDS, name, origin);
  return lines;
}

/** @param its - All of one service, of one zone. */
function serviceLines(
  apex: DnsName,
  its: readonly Instance[],
  ownSite: SiteId,
): readonly ZoneLine[] {
  return byView(ownSite, (view) => seenIn(view, apex, its, ownSite));
}

/** What each view sees, without the sets that a less specific one has alike. */
function byView(
  ownSite: SiteId,
  seen: (view: ZoneView) => readonly ZoneLine[],
): readonly ZoneLine[] {
  const said = new Map<string, string>();
  return ZONE_VIEWS.flatMap((view) =>
    [...Map.groupBy(seen(view), setName)].flatMap(([name, set]) => {
      const text = set.map(({ rdata, origin }) => `${toHex(rdata)} ${JSON.stringify(origin)}`);
      const before = said.get(name);
      const now = text.join("\n");
      said.set(name, now);
      if (before === now) return [];
      return view === "lan" ? set.map((line) => ({ ...line, site: ownSite })) : set;
    }),
  );
}

function setName({ owner, type }: ZoneLine): string {
  return `${toHex(owner)} ${type}`;
}

/** All that a view says of a service. */
function seenIn(
  view: ZoneView,
  apex: DnsName,
  its: readonly Instance[],
  ownSite: SiteId,
): readonly ZoneLine[] {
  const lines: ZoneLine[] = [];
  const add = adding(apex, view, lines);
  const reached = its
    .map((each) => ({ ...each, addresses: addressesIn(view, each, ownSite) }))
    .filter(({ addresses }) => addresses.length > 0);
  const isAtHome = view === "lan" && reached.some(({ site }) => site.siteId === ownSite);
  for (const { site, service, addresses } of reached) {
    const isFarther = isAtHome && site.siteId !== ownSite;
    addService(add, site, { ...service, addresses }, isFarther ? FARTHER_PRIORITY : 0);
  }
  return lines;
}

function addressesIn(view: ZoneView, { site, service }: Instance, ownSite: SiteId): string[] {
  const { addresses, mesh = [], lan = [] } = service;
  const near = view === "lan" && site.siteId === ownSite ? lan : [];
  return nearest([near, view === "public" ? [] : mesh, addresses]);
}

/** Of each family the addresses of the first level that has any. */
function nearest(levels: readonly (readonly string[])[]): string[] {
  return [TYPE.A, TYPE.AAAA].flatMap(
    (type) =>
      levels
        .map((level) => level.filter((address) => addressType(address) === type))
        .find((level) => level.length > 0) ?? [],
  );
}

function addService(add: Add, site: NamedSite, service: ServiceRecord, farther: number): void {
  const origin: RecordOrigin = { kind: "service", service: service.name, site: site.siteId };
  const atSite: RecordOrigin = { ...origin, atSite: true };
  const here = `${service.name}.${site.name}`;
  for (const address of service.addresses) {
    const type = addressType(address);
    add(service.name, type, SERVICE_TTL_SECONDS, address, origin);
    add(here, type, SERVICE_TTL_SECONDS, address, atSite);
  }
  for (const { name, port, transport } of service.ports) {
    if (!isLabel(name) || name.length > 15) continue; // RFC 6335 section 5.1
    const srv = `_${name}._${transport}`;
    const at = `0 ${port} ${here}`;
    add(`${srv}.${service.name}`, TYPE.SRV, SERVICE_TTL_SECONDS, `${farther} ${at}`, origin);
    add(`${srv}.${here}`, TYPE.SRV, SERVICE_TTL_SECONDS, `0 ${at}`, atSite);
    if (name !== "https" || transport !== "tcp" || port === 443) continue;
    const https = `${1 + farther} ${here} port=${port}`;
    add(service.name, TYPE.HTTPS, SERVICE_TTL_SECONDS, https, origin);
    add(here, TYPE.HTTPS, SERVICE_TTL_SECONDS, `1 . port=${port}`, atSite);
  }
}

function adding(apex: DnsName, view: ZoneView, lines: ZoneLine[]): Add {
  return (owner, type, ttl, data, origin) => {
    try {
      const name = parseDnsName(owner, apex);
      lines.push({ owner: name, type, ttl, rdata: parseRdata(type, data, apex), view, origin });
    } catch (error) {
      // A name too long for this zone is not named in it.
      if (!(error instanceof PleachError)) throw error;
    }
  };
}

function addressType(address: string): number {
  return "bytes" in parseIpv4(address) ? TYPE.A : TYPE.AAAA;
}

/** 0.0.0.0 and :: are where a server listens, not where it is. */
function isUnspecified(address: string): boolean {
  const parsed = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  return !("bytes" in parsed) || parsed.bytes.every((byte) => byte === 0);
}
