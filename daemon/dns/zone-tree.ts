/**
 * Zones as one tree of labels from the root down, made once for each version of the zones.
 *
 * A name is found in as many steps as it has labels, whatever its bytes are. Names without
 * records of their own that stand above others (empty non-terminals) are nodes, too, so that they
 * are told apart from names that do not exist (RFC 8020).
 */
import { labelKey, labelsOf, type DnsName } from "../../protocol/dns-name.ts";
import { TYPE } from "../../protocol/dns-type.ts";
import type { RRset, Zone } from "../core/zone.ts";

export interface ZoneNode {
  readonly rrsets: Map<number, RRset>;
  readonly children: Map<string, ZoneNode>;
  /** NS records below the apex: from here on others answer. */
  cut: RRset | undefined;
  dname: RRset | undefined;
}

export interface ServedZone {
  readonly zone: Zone;
  readonly root: ZoneNode;
  /** How many labels the apex has. */
  readonly depth: number;
  readonly apexNs: RRset | undefined;
  /** The SOA record as it stands in negative answers. */
  readonly negativeSoa: RRset;
  /** The hosted zone that the apex stands in; it answers DS. */
  readonly parent: ServedZone | undefined;
}

interface Branch {
  readonly children: Map<string, Branch>;
  zone: ServedZone | undefined;
}

/** Keys of the labels, the topmost first; what all searches start from. */
export type NamePath = readonly string[];

export function pathOf(name: DnsName): NamePath {
  return labelsOf(name).map(labelKey).toReversed();
}

/** The immutable set of zones that a server answers from. */
export class ZoneTree {
  readonly zones: readonly Zone[];
  readonly #top: Branch = { children: new Map(), zone: undefined };

  constructor(zones: readonly Zone[]) {
    this.zones = zones;
    // Parents first, so that a zone finds the one it stands in.
    for (const zone of zones.toSorted((a, b) => a.apex.length - b.apex.length)) this.#plant(zone);
  }

  #plant(zone: Zone): void {
    const path = pathOf(zone.apex);
    let branch = this.#top;
    let parent = path.length > 0 ? branch.zone : undefined;
    for (const [index, label] of path.entries()) {
      const next = branch.children.get(label) ?? { children: new Map(), zone: undefined };
      branch.children.set(label, next);
      branch = next;
      if (index < path.length - 1) parent = branch.zone ?? parent;
    }
    branch.zone = serve(zone, path.length, parent);
  }

  /** The deepest zone that the name stands in or is the apex of. */
  zoneOf(path: NamePath): ServedZone | undefined {
    let branch: Branch | undefined = this.#top;
    let found = branch.zone;
    for (const label of path) {
      branch = branch.children.get(label);
      if (branch === undefined) break;
      found = branch.zone ?? found;
    }
    return found;
  }
}

function serve(zone: Zone, depth: number, parent: ServedZone | undefined): ServedZone {
  const root = newNode();
  for (const rrset of zone.rrsets) addRrset(root, depth, rrset);
  return {
    zone,
    root,
    depth,
    apexNs: root.rrsets.get(TYPE.NS),
    negativeSoa: negativeSoa(zone.soa),
    parent,
  };
}

function addRrset(root: ZoneNode, depth: number, rrset: RRset): void {
  let node = root;
  for (const label of pathOf(rrset.owner).slice(depth)) {
    const child = node.children.get(label) ?? newNode();
    node.children.set(label, child);
    node = child;
  }
  node.rrsets.set(rrset.type, rrset);
  if (rrset.type === TYPE.NS && node !== root) node.cut = rrset;
  if (rrset.type === TYPE.DNAME) node.dname = rrset;
}

function newNode(): ZoneNode {
  return { rrsets: new Map(), children: new Map(), cut: undefined, dname: undefined };
}

/** RFC 2308 section 5: the lesser of the record's TTL and its MINIMUM field, which ends the data. */
function negativeSoa(soa: RRset): RRset {
  const rdata = soa.rdata[0];
  if (rdata === undefined) return soa;
  const minimum = Buffer.from(rdata).readUInt32BE(rdata.length - 4);
  return { ...soa, ttl: Math.min(soa.ttl, minimum) };
}

/** The node of a name whatever lies above it; used for addresses of name servers below a cut. */
export function findNode({ root, depth }: ServedZone, path: NamePath): ZoneNode | undefined {
  let node: ZoneNode | undefined = root;
  for (let level = depth; level < path.length && node !== undefined; level++) {
    node = node.children.get(path[level] ?? "");
  }
  return node;
}
