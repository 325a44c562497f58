/**
 * The answer to one question, from the zones of one tree: sections of record sets, no bytes yet.
 *
 * Follows aliases through all zones served here and stops where another server has to be asked.
 * Source: RFC 1034 section 4.3.2, RFC 2308, RFC 6672, RFC 6604 (the code is that of the last name).
 */
import {
  countLabels,
  MAX_NAME_BYTES,
  nameKey,
  parentName,
  readDnsName,
  type DnsName,
} from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import type { RRset } from "../core/zones/zone.ts";
import { addressesFor } from "./additional.ts";
import { RCODE } from "../../protocol/dns/dns-code.ts";
import type { KeyView } from "./client.ts";
import type { Answer, AnswerSet } from "./answer-sections.ts";
import { searchZone } from "./zone-search.ts";
import { pathOf, type NamePath, type ServedZone, type ZoneTree } from "./zone-tree.ts";

/** Enough for any chain that a person made; a longer one is cut off and its start returned. */
const MAX_ALIASES = 16;

interface Draft {
  readonly answer: AnswerSet[];
  readonly authority: AnswerSet[];
  /** Record sets whose targets' addresses may follow. */
  readonly targets: {
    readonly rrset: RRset;
    readonly served: ServedZone;
    readonly referral: boolean;
    readonly view: ZoneView;
  }[];
  authoritative: boolean;
  rcode: number;
  synthesized: boolean;
  unresolved: DnsName | undefined;
}

/** @param keyed - What a key shows of its own zones, instead of the view. */
export function answerQuestion(
  tree: ZoneTree,
  name: DnsName,
  type: number,
  view: ZoneView,
  keyed?: KeyView,
): Answer {
  const path = pathOf(name);
  const seen = (at: NamePath): ZoneView =>
    keyed === undefined ? view : viewAt(tree, at, view, keyed);
  const zone = responsible(tree, path, type, seen(placeOf(path, type)));
  const draft: Draft = {
    answer: [],
    authority: [],
    targets: [],
    authoritative: true,
    rcode: RCODE.NOERROR,
    synthesized: false,
    unresolved: undefined,
  };
  if (zone === undefined) {
    draft.rcode = RCODE.REFUSED;
    draft.authoritative = false;
  } else follow(tree, draft, name, type, seen);
  return {
    rcode: draft.rcode,
    authoritative: draft.authoritative,
    answer: draft.answer,
    authority: draft.authority,
    additional: addressesFor(tree, draft.targets, [...draft.answer, ...draft.authority], seen),
    zone,
    synthesized: draft.synthesized,
    unresolved: draft.unresolved,
  };
}

/** DS stands in the zone above the name. */
function placeOf(path: NamePath, type: number): NamePath {
  return type === TYPE.DS ? path.slice(0, -1) : path;
}

/** The view of a name for whom a key shows more of some zones, or less. */
function viewAt(tree: ZoneTree, path: NamePath, view: ZoneView, keyed: KeyView): ZoneView {
  // What any view has, the most specific one has, too.
  for (let served = tree.zoneOf(path, "lan"); served !== undefined;) {
    const own = keyed(served.apex) ?? view;
    if (tree.zoneOf(path, own) === served) return own;
    served = tree.zoneOf(path, "lan", served.depth);
  }
  return view;
}

/** The zone that answers: the deepest, but for DS of an apex the one above it. */
function responsible(
  tree: ZoneTree,
  path: NamePath,
  type: number,
  view: ZoneView,
): ServedZone | undefined {
  const served = tree.zoneOf(path, view);
  if (served === undefined || type !== TYPE.DS || served.depth !== path.length) return served;
  return tree.zoneOf(path, view, served.depth) ?? served;
}

function follow(
  tree: ZoneTree,
  draft: Draft,
  asked: DnsName,
  type: number,
  viewOf: (path: NamePath) => ZoneView,
): void {
  const seen = new Set<string>();
  for (let name = asked; ;) {
    const path = pathOf(name);
    const view = viewOf(placeOf(path, type));
    const served = responsible(tree, path, type, view);
    if (served === undefined) {
      draft.unresolved = name;
      return;
    }
    const next = step(draft, served, name, path, type, view);
    // RFC 4035 section 3.1.4.1: DS belongs to the zone above, which is not served here.
    if (type === TYPE.DS && served.depth === path.length) draft.unresolved = name;
    if (next === undefined) return;
    // The first name is looked at only when there is a second one: most answers have no alias.
    if (name === asked) seen.add(nameKey(name));
    const key = nameKey(next);
    if (seen.has(key) || seen.size > MAX_ALIASES) return;
    seen.add(key);
    name = next;
  }
}

/** Adds what one zone says; returns the name to go on with, if there is one. */
function step(
  draft: Draft,
  served: ServedZone,
  name: DnsName,
  path: NamePath,
  type: number,
  view: ZoneView,
): DnsName | undefined {
  const finding = searchZone(served, path, type, view);
  if (draft.answer.length === 0) draft.synthesized = finding.synthesized;
  switch (finding.kind) {
    case "records":
      for (const rrset of finding.rrsets) {
        draft.answer.push({ owner: name, rrset });
        draft.targets.push({ rrset, served, referral: false, view });
      }
      addApexNs(draft, served, view);
      return undefined;
    case "cname":
      draft.answer.push({ owner: name, rrset: finding.rrset });
      return targetOf(finding.rrset);
    case "dname":
      return redirect(draft, finding.rrset, name, type);
    case "referral":
      // The AA bit is about the first name (RFC 1035 section 4.1.1).
      if (draft.answer.length === 0) draft.authoritative = false;
      draft.unresolved = name;
      draft.authority.push({ owner: finding.ns.owner, rrset: finding.ns });
      draft.targets.push({ rrset: finding.ns, served, referral: true, view });
      return undefined;
    case "no-data":
    case "no-name": {
      if (finding.kind === "no-name") draft.rcode = RCODE.NXDOMAIN;
      const soa = served.negativeSoa[view];
      if (soa !== undefined) draft.authority.push({ owner: served.apex, rrset: soa });
      return undefined;
    }
  }
}

/** The name servers of the zone, unless they are the answer. */
function addApexNs(draft: Draft, served: ServedZone, view: ZoneView): void {
  const ns = served.apexNs[view];
  if (ns === undefined || draft.answer.some(({ rrset }) => rrset === ns)) return;
  draft.authority.push({ owner: ns.owner, rrset: ns });
  draft.targets.push({ rrset: ns, served, referral: false, view });
}

/** RFC 6672 section 2.2: the DNAME itself, and a CNAME made of it for the asked name. */
function redirect(draft: Draft, rrset: RRset, name: DnsName, type: number): DnsName | undefined {
  draft.answer.push({ owner: rrset.owner, rrset });
  const target = targetOf(rrset);
  if (target === undefined) return undefined;
  const prefixSize =
    name.length - parentName(name, countLabels(name) - countLabels(rrset.owner)).length;
  if (prefixSize + target.length > MAX_NAME_BYTES) {
    draft.rcode = RCODE.YXDOMAIN;
    return undefined;
  }
  const made = new Uint8Array(prefixSize + target.length) as DnsName;
  made.set(name.subarray(0, prefixSize));
  made.set(target, prefixSize);
  const cname: RRset = { owner: name, type: TYPE.CNAME, ttl: rrset.ttl, rdata: [made] };
  draft.answer.push({ owner: name, rrset: cname });
  return type === TYPE.CNAME ? undefined : made;
}

function targetOf(rrset: RRset): DnsName | undefined {
  const rdata = rrset.rdata[0];
  return rdata === undefined ? undefined : readDnsName(rdata, 0);
}
