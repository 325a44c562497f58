/**
 * Names that follow from the inventory, in every zone that a service wants to be named in.
 *
 * `SERVICE.ZONE` is at all sites that run the service, `SERVICE.SITE.ZONE` at one, and
 * `SITE.node.ZONE` is the server of a site. Named ports give SRV records, an `https` port other
 * than 443 an HTTPS record, so that browsers find it. Sites that answer DNS are the zone's name
 * servers unless somebody wrote others.
 */
import { parseDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { PleachError } from "../../../protocol/error.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { parseIpv4, parseIpv6 } from "../../../protocol/ip-address.ts";
import { nodeRecord, serviceRecord, type ServiceRecord } from "../../../protocol/logs/record.ts";
import { parseRdata } from "../../../protocol/dns/rdata.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import type { View } from "../logs/view.ts";
import type { RecordOrigin, ZoneLine } from "./zone.ts";

export interface NamedSite {
  readonly siteId: SiteId;
  /** A DNS label. */
  readonly name: string;
}

/** A moved service is found again within a minute. */
const SERVICE_TTL_SECONDS = 60;
const NODE_TTL_SECONDS = 300;

type Add = (owner: string, type: number, ttl: number, data: string, origin: RecordOrigin) => void;

/** In no particular order, possibly with the same record of two origins. */
export function inventoryLines(
  apex: DnsName,
  view: View,
  sites: readonly NamedSite[],
): readonly ZoneLine[] {
  const lines: ZoneLine[] = [];
  const add: Add = (owner, type, ttl, data, origin) => {
    try {
      const name = parseDnsName(owner, apex);
      const rdata = parseRdata(type, data, apex);
      lines.push({ owner: name, type, ttl, rdata, view: "public", origin });
    } catch (error) {
      // A name too long for this zone is not named in it.
      if (!(error instanceof PleachError)) throw error;
    }
  };
  const bySite = new Map(sites.map((site) => [site.siteId, site]));
  for (const site of sites) addNode(add, view, site);
  for (const { key, author, value } of view.entries("site", "service/")) {
    const site = bySite.get(author);
    const parsed = serviceRecord.safeParse(value);
    if (site === undefined || !parsed.success || key !== `service/${parsed.data.name}`) continue;
    if (isLabel(parsed.data.name) && wantsZone(parsed.data, apex))
      addService(add, site, parsed.data);
  }
  return lines;
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

function addNode(add: Add, view: View, site: NamedSite): void {
  const parsed = nodeRecord.safeParse(view.get("site", "node", site.siteId)?.value);
  if (!parsed.success) return;
  const origin: RecordOrigin = { kind: "node", site: site.siteId };
  const name = `${site.name}.node`;
  const dns = parsed.data.dns.map(({ address }) => address);
  const listened = parsed.data.addresses.flatMap(
    (text) => /^\/ip[46]\/([^/]+)\//.exec(text)?.[1] ?? [],
  );
  const addresses = new Set([...dns, ...listened].filter((address) => !isUnspecified(address)));
  for (const address of addresses) addAddress(add, name, NODE_TTL_SECONDS, address, origin);
  if (dns.length > 0 && addresses.size > 0) add("@", TYPE.NS, NODE_TTL_SECONDS, name, origin);
}

function addService(add: Add, site: NamedSite, service: ServiceRecord): void {
  const origin: RecordOrigin = { kind: "service", service: service.name, site: site.siteId };
  const here = `${service.name}.${site.name}`;
  for (const address of service.addresses) {
    addAddress(add, service.name, SERVICE_TTL_SECONDS, address, origin);
    addAddress(add, here, SERVICE_TTL_SECONDS, address, origin);
  }
  if (service.addresses.length === 0) return;
  for (const { name, port, transport } of service.ports) {
    if (!isLabel(name) || name.length > 15) continue; // RFC 6335 section 5.1
    const data = `0 0 ${port} ${here}`;
    add(`_${name}._${transport}.${service.name}`, TYPE.SRV, SERVICE_TTL_SECONDS, data, origin);
    add(`_${name}._${transport}.${here}`, TYPE.SRV, SERVICE_TTL_SECONDS, data, origin);
    if (name !== "https" || transport !== "tcp" || port === 443) continue;
    add(service.name, TYPE.HTTPS, SERVICE_TTL_SECONDS, `1 ${here} port=${port}`, origin);
    add(here, TYPE.HTTPS, SERVICE_TTL_SECONDS, `1 . port=${port}`, origin);
  }
}

function addAddress(
  add: Add,
  name: string,
  ttl: number,
  address: string,
  origin: RecordOrigin,
): void {
  const type = "bytes" in parseIpv4(address) ? TYPE.A : TYPE.AAAA;
  add(name, type, ttl, address, origin);
}

/** 0.0.0.0 and :: are where a server listens, not where it is. */
function isUnspecified(address: string): boolean {
  const parsed = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  return !("bytes" in parsed) || parsed.bytes.every((byte) => byte === 0);
}
