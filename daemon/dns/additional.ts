/**
 * Addresses that spare the asker another question: of name servers, mail exchangers and services.
 *
 * Source: RFC 1034 section 4.3.2 step 6, RFC 9471 (glue), RFC 2782, RFC 9460 section 4.1.
 */
import { readDnsName, type DnsName, nameKey } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import type { RRset } from "../core/zones/zone.ts";
import type { AdditionalSet, AnswerSet } from "./answer-sections.ts";
import { setOfType } from "./zone-node.ts";
import { searchZone } from "./zone-search.ts";
import { findNode, pathOf, type NamePath, type ServedZone, type ZoneTree } from "./zone-tree.ts";

/** Where the target's name starts in the data. */
const TARGET_OFFSET: ReadonlyMap<number, number> = new Map<number, number>([
  [TYPE.NS, 0],
  [TYPE.MX, 2],
  [TYPE.SRV, 6],
  [TYPE.SVCB, 2],
  [TYPE.HTTPS, 2],
]);

/** Beyond this the answer is not made faster by it; bounds the work for one packet. */
const MAX_TARGETS = 32;

interface Target {
  readonly rrset: RRset;
  readonly served: ServedZone;
  /** Glue counts, and is required when it stands below the cut. */
  readonly referral: boolean;
  /** In which the set was found. */
  readonly view: ZoneView;
}

/**
 * @param present - What the message has already; it is not repeated.
 * @param viewOf - What the asker sees of a name.
 */
export function addressesFor(
  tree: ZoneTree,
  targets: readonly Target[],
  present: readonly AnswerSet[],
  viewOf: (path: NamePath) => ZoneView,
): AdditionalSet[] {
  if (targets.length === 0) return [];
  const added: AdditionalSet[] = [];
  const known = new Set(present.map(({ owner, rrset }) => setKey(owner, rrset.type)));
  let left = MAX_TARGETS;
  for (const target of targets) {
    const offset = TARGET_OFFSET.get(target.rrset.type);
    if (offset === undefined) continue;
    for (const rdata of target.rrset.rdata) {
      if (left-- <= 0) return added;
      const name = readDnsName(rdata, offset);
      if (name === undefined || name.length === 1) continue;
      for (const found of addressesOf(tree, target, name, viewOf)) {
        const key = setKey(name, found.rrset.type);
        if (known.has(key)) continue;
        known.add(key);
        added.push(found);
      }
    }
  }
  return added;
}

function setKey(owner: DnsName, type: number): string {
  return `${type} ${nameKey(owner)}`;
}

function addressesOf(
  tree: ZoneTree,
  target: Target,
  name: DnsName,
  viewOf: (path: NamePath) => ZoneView,
): AdditionalSet[] {
  const path = pathOf(name);
  const isGlue = target.referral && isBelow(path, target.served);
  const view = isGlue ? target.view : viewOf(path);
  const served = isGlue ? target.served : tree.zoneOf(path, view);
  if (served === undefined) return [];
  const required = target.referral && isBelowName(path, pathOf(target.rrset.owner));
  return [TYPE.A, TYPE.AAAA].flatMap((type) => {
    const rrset = addressSet(served, path, type, target.rrset.type === TYPE.NS, view);
    return rrset === undefined ? [] : [{ owner: name, rrset, required }];
  });
}

function addressSet(
  served: ServedZone,
  path: NamePath,
  type: number,
  glue: boolean,
  view: ZoneView,
): RRset | undefined {
  if (glue) {
    const node = findNode(served, path, view);
    const found = node && setOfType(node.sets[view], type);
    if (found !== undefined) return found;
  }
  const finding = searchZone(served, path, type, view);
  return finding.kind === "records" ? finding.rrsets[0] : undefined;
}

function isBelow(path: NamePath, served: ServedZone): boolean {
  return isBelowName(path, pathOf(served.apex));
}

function isBelowName(path: NamePath, above: NamePath): boolean {
  return above.length <= path.length && above.every((label, index) => path[index] === label);
}
