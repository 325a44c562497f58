/** What is served, in words: lists, zone files, and why an answer is what it is. */
import {
  formatDnsName,
  formatRelative,
  nameKey,
  parseDnsName,
  sameName,
  type DnsName,
} from "../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../protocol/dns/dns-type.ts";
import { toHex, type SiteId } from "../../protocol/ids.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import { formatZoneFile } from "../../protocol/dns/zone-file-text.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";
import { linesOf, storedSets, type Zone, type ZoneLine } from "../core/zones/zone.ts";
import { answerQuestion } from "./answer.ts";
import { formatRcode } from "../../protocol/dns/dns-code.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import type { AnswerSet } from "./answer-sections.ts";
import { searchZone } from "./zone-search.ts";
import { pathOf, type ServedZone, type ZoneTree } from "./zone-tree.ts";

/** What is served, whole and as it is searched. */
interface ServedZones {
  served(): readonly Zone[];
  tree(): ZoneTree;
}

export interface ReportPort {
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
  readonly origin: "edit" | "service" | "node" | "default";
  /** Who wrote it, or whose service or server it is. */
  readonly site: string | null;
  readonly service: string | null;
  /** The TSIG key whose update wrote it. */
  readonly tsig: string | null;
  /** Written here, and no other site has confirmed it yet. */
  readonly provisional: boolean;
}

export function listZone(zone: Zone, port: ReportPort): ListedRecord[] {
  return [...linesOf(zone)]
    .map((line) => listed(line, zone.apex, port))
    .toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

function sortKey({ name, type, data }: ListedRecord): string {
  const labels = name === "@" ? [] : name.split(".").toReversed();
  return [...labels, "", type === "SOA" ? "" : type, data].join("\0");
}

function listed(line: ZoneLine, apex: DnsName, port: ReportPort): ListedRecord {
  const { origin } = line;
  const site =
    origin.kind === "default" ? undefined : origin.kind === "edit" ? origin.author : origin.site;
  return {
    name: formatRelative(line.owner, apex),
    type: formatType(line.type),
    ttl: line.ttl,
    data: formatRdata(line.type, line.rdata),
    view: line.view,
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

export interface Explanation {
  readonly name: string;
  readonly type: string;
  /** Null: no zone of the mesh holds the name. */
  readonly zone: string | null;
  readonly serial: number | null;
  readonly view: ZoneView;
  readonly rcode: string;
  readonly authoritative: boolean;
  readonly why: readonly string[];
  readonly records: readonly (ListedRecord & { readonly section: string })[];
}

/** Answers as the server does, and says which rule and which record led there. */
export function explainName(
  served: ServedZones,
  nameText: string,
  typeText: string,
  view: ZoneView,
  port: ReportPort,
): Explanation {
  const name = parseDnsName(nameText);
  const type = parseType(typeText);
  const tree = served.tree();
  const answer = answerQuestion(tree, name, type, view);
  const sections = [
    ["answer", answer.answer],
    ["authority", answer.authority],
    ["additional", answer.additional],
  ] as const;
  return {
    name: formatDnsName(name),
    type: formatType(type),
    zone: answer.zone === undefined ? null : zoneText(answer.zone.apex),
    serial: answer.zone?.serial ?? null,
    view,
    rcode: formatRcode(answer.rcode),
    authoritative: answer.authoritative,
    why: reasons(answer.zone, name, type, view, answer.answer),
    records: sections.flatMap(([section, sets]) =>
      sets.flatMap((set) =>
        describe(served, view, set, port).map((record) => ({ ...record, section })),
      ),
    ),
  };
}

function describe(
  served: ServedZones,
  view: ZoneView,
  { owner, rrset }: AnswerSet,
  port: ReportPort,
): ListedRecord[] {
  const apex = served.tree().zoneOf(pathOf(rrset.owner), view)?.apex;
  const zone = apex && served.served().find((each) => sameName(each.apex, apex));
  return rrset.rdata.map((rdata) => {
    const key = nameKey(rrset.owner);
    const line = zone?.names
      .get(key)
      ?.lines.find((each) => each.type === rrset.type && toHex(each.rdata) === toHex(rdata));
    const made: ZoneLine = {
      owner,
      type: rrset.type,
      ttl: rrset.ttl,
      rdata,
      view,
      origin: { kind: "default" },
    };
    const record = listed(line ?? made, zone?.apex ?? owner, port);
    return { ...record, name: formatDnsName(owner), ttl: rrset.ttl };
  });
}

function reasons(
  served: ServedZone | undefined,
  name: DnsName,
  type: number,
  view: ZoneView,
  answer: readonly AnswerSet[],
): string[] {
  if (served === undefined) return [`No zone of this mesh holds ${formatDnsName(name)}: refused.`];
  const finding = searchZone(served, pathOf(name), type, view);
  const asked = `${formatDnsName(name)} ${formatType(type)}`;
  const why: string[] = [];
  if (
    finding.synthesized &&
    (finding.kind === "records" || finding.kind === "cname" || finding.kind === "no-data")
  ) {
    why.push(`${formatDnsName(name)} is not in the zone; a wildcard above it answers.`);
  }
  if (finding.kind === "records") why.push(`The zone has records for ${asked}.`);
  if (finding.kind === "cname")
    why.push(`${formatDnsName(name)} is an alias; ${answer.length} sets of records follow it.`);
  if (finding.kind === "dname")
    why.push(`A DNAME at ${formatDnsName(finding.rrset.owner)} moves all names below it.`);
  if (finding.kind === "referral")
    why.push(`${formatDnsName(finding.ns.owner)} is delegated to other servers.`);
  if (finding.kind === "no-data")
    why.push(`${formatDnsName(name)} exists, but has no ${formatType(type)} record.`);
  if (finding.kind === "no-name")
    why.push(`Neither ${formatDnsName(name)} nor a wildcard for it is in the zone.`);
  return why;
}
