/**
 * Zones as one tree of labels from the root down.
 *
 * A name is found in as many steps as it has labels, whatever its bytes are.
 */
import { labelKeys, type DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { perView, type PerView, type ZoneView } from "../../protocol/dns/zone-view.ts";
import type { RRset, ServedName, Zone } from "../core/zones/zone.ts";
import { GrowingNode, setOfType, type ZoneNode } from "./zone-node.ts";

export interface ServedZone {
  readonly apex: DnsName;
  readonly serial: number;
  readonly root: ZoneNode;
  /** How many labels the apex has. */
  readonly depth: number;
  readonly apexNs: PerView<RRset | undefined>;
  /** The SOA record as it stands in negative answers; undefined in views that have no such zone. */
  readonly negativeSoa: PerView<RRset | undefined>;
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

/** How many names are planted between two rests of {@link ZoneTree.grow}. */
const NAMES_A_STEP = 128;

/** What a tree needs of a zone. */
export type GrowingZone = Pick<Zone, "apex" | "serial"> & {
  readonly names: ReadonlyMap<string, ServedName>;
};

/** The zones that a server answers from. */
export class ZoneTree {
  readonly #top: Branch = { children: new Map(), zone: undefined };

  constructor(zones: readonly GrowingZone[]) {
    const growing = this.#grow(zones);
    while (growing.next().done !== true);
  }

  /** The same in small steps, for a thread that has answers to give in between. */
  static *grow(zones: readonly GrowingZone[]): Generator<undefined, ZoneTree> {
    const tree = new ZoneTree([]);
    yield* tree.#grow(zones);
    return tree;
  }

  *#grow(zones: readonly GrowingZone[]): Generator<undefined, void> {
    for (const zone of zones) {
      const path = pathOf(zone.apex);
      const root = new GrowingNode();
      let planted = 0;
      for (const name of zone.names.values()) {
        root.place(pathOf(name.owner).slice(path.length), name);
        if (++planted % NAMES_A_STEP === 0) yield;
      }
      this.#plant(zone, path, root);
    }
  }

  #plant({ apex, serial }: GrowingZone, path: NamePath, root: ZoneNode): void {
    let branch = this.#top;
    for (const label of path) {
      const next = branch.children.get(label) ?? { children: new Map(), zone: undefined };
      branch.children.set(label, next);
      branch = next;
    }
    branch.zone = {
      ...{ apex, serial, root, depth: path.length },
      apexNs: perView((view) => setOfType(root.sets[view], TYPE.NS)),
      negativeSoa: perView((view) => negativeSoa(setOfType(root.sets[view], TYPE.SOA))),
    };
  }

  /**
   * The deepest zone of the view that the name stands in or is the apex of.
   *
   * @param depth - Only apexes of fewer labels are looked at. Default: all.
   */
  zoneOf(path: NamePath, view: ZoneView, depth = Number.POSITIVE_INFINITY): ServedZone | undefined {
    let branch: Branch | undefined = this.#top;
    let found: ServedZone | undefined;
    for (let level = 0; branch !== undefined && level < depth; level++) {
      if (branch.zone?.negativeSoa[view] !== undefined) found = branch.zone;
      if (level === path.length) break;
      branch = branch.children.get(path[level] ?? "");
    }
    return found;
  }
}

/** RFC 2308 section 5: the lesser of the record's TTL and its MINIMUM field, which ends the data. */
function negativeSoa(soa: RRset | undefined): RRset | undefined {
  const rdata = soa?.rdata[0];
  if (soa === undefined || rdata === undefined) return undefined;
  const minimum = Buffer.from(rdata).readUInt32BE(rdata.length - 4);
  return { ...soa, ttl: Math.min(soa.ttl, minimum) };
}

/** The node of a name whatever lies above it; used for addresses of name servers below a cut. */
export function findNode(
  { root, depth }: ServedZone,
  path: NamePath,
  view: ZoneView,
): ZoneNode | undefined {
  let node: ZoneNode | undefined = root;
  for (let level = depth; level < path.length && node !== undefined; level++) {
    node = node.child(path[level] ?? "", view);
  }
  return node;
}
