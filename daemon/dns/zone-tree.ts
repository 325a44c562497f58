/**
 * Zones as one tree of labels from the root down.
 *
 * A name is found in as many steps as it has labels, whatever its bytes are.
 */
import { labelKeys, type DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { perView, type PerView, type ZoneView } from "../../protocol/dns/zone-view.ts";
import type { RRset, Zone } from "../core/zones/zone.ts";
import { wholeZone, type ZoneDelta } from "../core/zones/zone-delta.ts";
import { GrowingNode, setOfType, type PlacedName, type ZoneNode } from "./zone-node.ts";

export interface ServedZone {
  readonly apex: DnsName;
  readonly serial: number;
  readonly root: GrowingNode;
  /** How many labels the apex has. */
  readonly depth: number;
  readonly apexNs: PerView<RRset | undefined>;
  /** The SOA record as it stands in negative answers; undefined in views that have no such zone. */
  readonly negativeSoa: PerView<RRset | undefined>;
}

/** A change of a zone, as far as a tree needs it. */
export type ServedDelta = ZoneDelta<PlacedName>;

interface Branch {
  readonly children: Map<string, Branch>;
  zone: ServedZone | undefined;
}

/** Keys of the labels, the topmost first; what all searches start from. */
export type NamePath = readonly string[];

export function pathOf(name: DnsName): NamePath {
  return labelKeys(name).reverse();
}

/** How many names are planted between two rests. */
const NAMES_A_STEP = 64;
/** A zone of which more names change at once is changed in a copy: 0.2 ms of work in place. */
const MAX_IN_PLACE = 256;

/** What is left to do of a change when it is made. */
interface Prepared {
  readonly path: NamePath;
  /** Undefined: the zone is gone. */
  readonly zone: Pick<ServedZone, "apex" | "serial"> | undefined;
  /** What takes the place of the names that are there; undefined: they stay. */
  readonly root: GrowingNode | undefined;
  /** To be placed in what is there. */
  readonly names: readonly { readonly path: NamePath; readonly name: PlacedName }[];
}

/** The zones that a server answers from. */
export class ZoneTree {
  readonly #top: Branch = { children: new Map(), zone: undefined };

  constructor(zones: readonly Zone[] = []) {
    this.apply(zones.map(wholeZone));
  }

  /** Makes a change of zones. */
  apply(deltas: readonly ServedDelta[]): void {
    const steps = this.change(deltas);
    while (steps.next().done !== true);
  }

  /**
   * The same in small steps, for a thread that has answers to give in between: all but the last of
   * them prepare, and leave what is answered as it is. One change after the other: the next may
   * begin when this one is made.
   */
  *change(deltas: readonly ServedDelta[]): Generator<undefined, void> {
    const prepared: Prepared[] = [];
    for (const delta of deltas) {
      prepared.push(yield* this.#prepare(delta));
      if (prepared.length % NAMES_A_STEP === 0) yield;
    }
    for (const each of prepared) this.#make(each);
  }

  *#prepare(delta: ServedDelta): Generator<undefined, Prepared> {
    const path = pathOf(delta.apex);
    if (delta.kind === "gone") return { path, zone: undefined, root: undefined, names: [] };
    const { apex, serial, whole, names } = delta;
    const zone = { apex, serial };
    const known = this.#at(path)?.zone?.root;
    const pathBelow = (name: PlacedName): NamePath =>
      name.path ?? pathOf(name.owner).slice(path.length);
    if (!whole && known !== undefined && names.length <= MAX_IN_PLACE) {
      const placed = names.map((name) => ({ path: pathBelow(name), name }));
      return { path, zone, root: undefined, names: placed };
    }
    const root = whole || known === undefined ? new GrowingNode() : yield* known.copy();
    for (const [index, name] of names.entries()) {
      root.place(pathBelow(name), name);
      if (index % NAMES_A_STEP === 0) yield;
    }
    return { path, zone, root, names: [] };
  }

  #make({ path, zone, root: made, names }: Prepared): void {
    if (zone === undefined) return this.#remove(path);
    let branch = this.#top;
    for (const label of path) {
      const next = branch.children.get(label) ?? { children: new Map(), zone: undefined };
      branch.children.set(label, next);
      branch = next;
    }
    const root = made ?? branch.zone?.root ?? new GrowingNode();
    for (const each of names) root.place(each.path, each.name);
    branch.zone = {
      ...{ ...zone, root, depth: path.length },
      apexNs: perView((view) => setOfType(root.sets[view], TYPE.NS)),
      negativeSoa: perView((view) => negativeSoa(setOfType(root.sets[view], TYPE.SOA))),
    };
  }

  #remove(path: NamePath): void {
    const branch = this.#at(path);
    if (branch === undefined) return;
    branch.zone = undefined;
    for (let depth = path.length; depth > 0; depth--) {
      const above = this.#at(path.slice(0, depth - 1));
      const here = above?.children.get(path[depth - 1] ?? "");
      if (here === undefined || here.zone !== undefined || here.children.size > 0) return;
      above?.children.delete(path[depth - 1] ?? "");
    }
  }

  #at(path: NamePath): Branch | undefined {
    let branch: Branch | undefined = this.#top;
    for (const label of path) branch = branch?.children.get(label);
    return branch;
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
