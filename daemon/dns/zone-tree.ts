/**
 * Zones as one tree of labels from the root down, made once for each version of the zones.
 *
 * A name is found in as many steps as it has labels, whatever its bytes are. Names without
 * records of their own that stand above others (empty non-terminals) are nodes, too, so that they
 * are told apart from names that do not exist (RFC 8020).
 */
import { labelKeys, type DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import type { RRset, Zone } from "../core/zones/zone.ts";

export interface ZoneNode {
  /** One of each type: few enough to look through. */
  readonly rrsets: readonly RRset[];
  readonly children: ReadonlyMap<string, ZoneNode>;
  /** NS records below the apex: from here on others answer. */
  readonly cut: RRset | undefined;
  readonly dname: RRset | undefined;
}

/** Nearly all nodes have no children and one set of records: lists without room to grow. */
const NO_RRSETS: readonly RRset[] = [];
const NO_CHILDREN: ReadonlyMap<string, ZoneNode> = new Map();

class GrowingNode implements ZoneNode {
  rrsets: readonly RRset[] = NO_RRSETS;
  cut: RRset | undefined;
  dname: RRset | undefined;
  #children: Map<string, GrowingNode> | undefined;

  get children(): ReadonlyMap<string, ZoneNode> {
    return this.#children ?? NO_CHILDREN;
  }

  child(label: string): GrowingNode {
    this.#children ??= new Map();
    const child = this.#children.get(label) ?? new GrowingNode();
    this.#children.set(label, child);
    return child;
  }
}

export function rrsetOf(node: ZoneNode, type: number): RRset | undefined {
  return node.rrsets.find((rrset) => rrset.type === type);
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
  return labelKeys(name).reverse();
}

/** How many record sets are planted between two rests of {@link ZoneTree.grow}. */
const SETS_A_STEP = 128;

/** The immutable set of zones that a server answers from. */
export class ZoneTree {
  #zones: readonly Zone[] = [];
  readonly #top: Branch = { children: new Map(), zone: undefined };

  constructor(zones: readonly Zone[]) {
    const growing = this.#grow(zones);
    while (growing.next().done !== true);
  }

  /** The same in small steps, for a thread that has answers to give in between. */
  static *grow(zones: readonly Zone[]): Generator<undefined, ZoneTree> {
    const tree = new ZoneTree([]);
    yield* tree.#grow(zones);
    return tree;
  }

  get zones(): readonly Zone[] {
    return this.#zones;
  }

  *#grow(zones: readonly Zone[]): Generator<undefined, void> {
    this.#zones = zones;
    // Parents first, so that a zone finds the one it stands in.
    for (const zone of zones.toSorted((a, b) => a.apex.length - b.apex.length)) {
      const path = pathOf(zone.apex);
      const root = new GrowingNode();
      for (const [index, rrset] of zone.rrsets.entries()) {
        addRrset(root, path.length, rrset);
        if (index % SETS_A_STEP === 0) yield;
      }
      this.#plant(zone, path, root);
    }
  }

  #plant(zone: Zone, path: NamePath, root: ZoneNode): void {
    let branch = this.#top;
    let parent = path.length > 0 ? branch.zone : undefined;
    for (const [index, label] of path.entries()) {
      const next = branch.children.get(label) ?? { children: new Map(), zone: undefined };
      branch.children.set(label, next);
      branch = next;
      if (index < path.length - 1) parent = branch.zone ?? parent;
    }
    const depth = path.length;
    const apexNs = rrsetOf(root, TYPE.NS);
    branch.zone = { zone, root, depth, apexNs, negativeSoa: negativeSoa(zone.soa), parent };
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

function addRrset(root: GrowingNode, depth: number, rrset: RRset): void {
  const node = pathOf(rrset.owner)
    .slice(depth)
    .reduce((above, label) => above.child(label), root);
  node.rrsets = [...node.rrsets, rrset];
  if (rrset.type === TYPE.NS && node !== root) node.cut = rrset;
  if (rrset.type === TYPE.DNAME) node.dname = rrset;
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
