/** Why an answer is what it is: which view, which records, who wrote them, and what steers them. */
import {
  formatDnsName,
  nameKey,
  parseDnsName,
  sameName,
  type DnsName,
} from "../../protocol/dns/dns-name.ts";
import { formatRcode } from "../../protocol/dns/dns-code.ts";
import { formatType, parseType } from "../../protocol/dns/dns-type.ts";
import { toHex } from "../../protocol/ids.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";
import { ZONE_VIEWS, type ZoneView } from "../../protocol/dns/zone-view.ts";
import type { View } from "../core/logs/view.ts";
import { linesShown, partlyHidden } from "../core/zones/name-lines.ts";
import { isSeenAt } from "../core/zones/seen-at.ts";
import type { Zone, ZoneLine, ZoneName } from "../core/zones/zone.ts";
import { answerQuestion } from "./answer.ts";
import type { Answer, AnswerSet } from "./answer-sections.ts";
import { listedLine, type ListedRecord, type ReportPort } from "./zone-report.ts";
import { steeringReasons } from "./steering-reasons.ts";
import { searchZone } from "./zone-search.ts";
import { pathOf, type ServedZone, type ZoneTree } from "./zone-tree.ts";

/** What is served, whole and as it is searched. */
interface ServedZones {
  served(): readonly Zone[];
  tree(): ZoneTree;
}

export interface ExplainPort extends ReportPort {
  view(): View;
  /** When the author says to have written a record; null when the state does not know it any more. */
  writtenAtMs(key: string): Promise<number | null>;
}

export interface ExplainedRecord extends ListedRecord {
  readonly section: "answer" | "authority" | "additional";
  /** By the author's own clock; null when nobody wrote it, or it is not known any more. */
  readonly writtenAtMs: number | null;
}

/** What another view would answer. */
export interface OtherAnswer {
  readonly view: ZoneView;
  readonly rcode: string;
  /** `TYPE data`. */
  readonly answer: readonly string[];
  /** As the view that was explained does. */
  readonly same: boolean;
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
  readonly records: readonly ExplainedRecord[];
  readonly others: readonly OtherAnswer[];
}

/** More records than this are counted, not named. */
const MAX_NAMED = 5;

/** Answers as the server does, and says which rule and which record led there. */
export async function explainName(
  served: ServedZones,
  nameText: string,
  typeText: string,
  view: ZoneView,
  port: ExplainPort,
): Promise<Explanation> {
  const name = parseDnsName(nameText);
  const type = parseType(typeText);
  const tree = served.tree();
  const answer = answerQuestion(tree, name, type, view);
  const sections = [
    ["answer", answer.answer],
    ["authority", answer.authority],
    ["additional", answer.additional],
  ] as const;
  const records = sections.flatMap(([section, sets]) =>
    sets.flatMap((set) => describe(served, view, set, port).map((each) => ({ ...each, section }))),
  );
  const standing = nameIn(served, name, view);
  return {
    name: formatDnsName(name),
    type: formatType(type),
    zone: answer.zone === undefined ? null : zoneText(answer.zone.apex),
    serial: answer.zone?.serial ?? null,
    view,
    rcode: formatRcode(answer.rcode),
    authoritative: answer.authoritative,
    why: [
      ...reasons(answer.zone, name, type, view, answer.answer),
      ...(standing === undefined ? [] : overlayReasons(standing, type, view, port)),
      ...(standing === undefined ? [] : steeringReasons(standing, view, port.view(), port)),
    ],
    records: await Promise.all(records.map((each) => dated(each, port))),
    others: otherAnswers(tree, name, type, view, answer),
  };
}

type Described = ListedRecord & { readonly key: string | undefined };

async function dated(
  { key, ...record }: Described & Pick<ExplainedRecord, "section">,
  port: ExplainPort,
): Promise<ExplainedRecord> {
  return { ...record, writtenAtMs: key === undefined ? null : await port.writtenAtMs(key) };
}

/** The name itself, in the zone that holds it in this view. */
function nameIn(served: ServedZones, name: DnsName, view: ZoneView): ZoneName | undefined {
  const apex = served.tree().zoneOf(pathOf(name), view)?.apex;
  const zone = apex && served.served().find((each) => sameName(each.apex, apex));
  return zone?.names.get(nameKey(name));
}

function describe(
  served: ServedZones,
  view: ZoneView,
  { owner, rrset }: AnswerSet,
  port: ExplainPort,
): Described[] {
  const standing = nameIn(served, rrset.owner, view);
  const shown = standing === undefined ? [] : linesShown(standing, view, port.ownSite);
  return rrset.rdata.map((rdata) => {
    const line = shown.find(
      (each) => each.type === rrset.type && toHex(each.rdata) === toHex(rdata),
    );
    const { type, ttl } = rrset;
    const made: ZoneLine = { owner, type, ttl, rdata, view, origin: { kind: "default" } };
    const record = listedLine(line ?? made, owner, port);
    const origin = line?.origin;
    const key = origin?.kind === "edit" ? origin.key : undefined;
    return { ...record, name: formatDnsName(owner), ttl, key };
  });
}

function otherAnswers(
  tree: ZoneTree,
  name: DnsName,
  type: number,
  view: ZoneView,
  explained: Answer,
): OtherAnswer[] {
  const said = ({ rcode, answer }: Answer): { rcode: string; answer: string[] } => ({
    rcode: formatRcode(rcode),
    answer: answer.flatMap(({ rrset }) =>
      rrset.rdata.map((rdata) => `${formatType(rrset.type)} ${formatRdata(rrset.type, rdata)}`),
    ),
  });
  const own = JSON.stringify(said(explained));
  return ZONE_VIEWS.filter((other) => other !== view).map((other) => {
    const there = said(answerQuestion(tree, name, type, other));
    return { view: other, ...there, same: JSON.stringify(there) === own };
  });
}

/** What lies under the records that are shown, and what shows through beside them. */
function overlayReasons(
  name: ZoneName,
  type: number,
  view: ZoneView,
  { ownSite }: ExplainPort,
): string[] {
  const shown = new Set(linesShown(name, view, ownSite));
  const hidden = name.lines.filter(
    (line) => line.type === type && isSeenAt(line, { view, site: ownSite }) && !shown.has(line),
  );
  const texts = hidden.map(
    (line) => `${formatType(type)} ${formatRdata(type, line.rdata)} (${line.view})`,
  );
  const more = texts.length > MAX_NAMED ? ` and ${texts.length - MAX_NAMED} more` : "";
  const under =
    texts.length === 0
      ? []
      : [`Less specific records are hidden here: ${texts.slice(0, MAX_NAMED).join(", ")}${more}.`];
  return [...under, ...partlyHidden(name, ownSite)];
}

function reasons(
  served: ServedZone | undefined,
  name: DnsName,
  type: number,
  view: ZoneView,
  answer: readonly AnswerSet[],
): string[] {
  if (served === undefined) {
    return [`No zone that the view ${view} has holds ${formatDnsName(name)}: refused.`];
  }
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
