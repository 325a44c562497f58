/**
 * One name in the tree of a zone: its record sets in each view, and what stands below it.
 *
 * Names without records of their own that stand above others (empty non-terminals) are nodes, too,
 * so that they are told apart from names that do not exist (RFC 8020). Whether a name exists is a
 * question of the view: one that has records only for the mesh does not exist in public.
 */
import { TYPE } from "../../protocol/dns/dns-type.ts";
import {
  inAllViews,
  ZONE_VIEWS,
  type PerView,
  type ZoneView,
} from "../../protocol/dns/zone-view.ts";
import type { RRset, ServedName } from "../core/zones/zone.ts";

/** A name on its way into a tree, with what was found out about it elsewhere. */
export interface PlacedName extends ServedName {
  /** Keys of the labels below the apex, the topmost first. */
  readonly path?: readonly string[];
  /** {@link marksOf} it. */
  readonly marks?: number;
}

export interface ZoneNode {
  /** One of each type: few enough to look through. */
  readonly sets: PerView<readonly RRset[]>;
  /** The node of a label right below that exists in the view. */
  child(label: string, view: ZoneView): ZoneNode | undefined;
  /** NS records below the apex: from here on others answer. */
  cut(view: ZoneView): RRset | undefined;
  dname(view: ZoneView): RRset | undefined;
}

/** One bit for each view. */
export const BIT: PerView<number> = { public: 1, mesh: 2, lan: 4 };
/** Where those of cuts and DNAMEs stand. */
const CUT_SHIFT = 3;
const DNAME_SHIFT = 6;
const CUTS = 7 << CUT_SHIFT;

const NO_SETS: PerView<readonly RRset[]> = inAllViews([]);

/** How many nodes are copied between two rests of {@link GrowingNode.copy}. */
const NODES_A_STEP = 256;

/** What stands below a node. Nearly all nodes have nothing. */
interface Below {
  readonly children: Map<string, GrowingNode>;
  /** In each view, how many of them exist. */
  readonly counts: [number, number, number];
}

export class GrowingNode implements ZoneNode {
  #name: ServedName | undefined;
  /** In which views there are records, NS below the apex, DNAME: three bits each. */
  #marks = 0;
  #below: Below | undefined;

  /** Names may be read from their bytes when they are asked for: it is the name that is kept. */
  get sets(): PerView<readonly RRset[]> {
    return this.#name?.served ?? NO_SETS;
  }

  child(label: string, view: ZoneView): GrowingNode | undefined {
    const child = this.#below?.children.get(label);
    return child !== undefined && (child.#presence() & BIT[view]) !== 0 ? child : undefined;
  }

  cut(view: ZoneView): RRset | undefined {
    if ((this.#marks & (BIT[view] << CUT_SHIFT)) === 0) return undefined;
    return setOfType(this.sets[view], TYPE.NS);
  }

  dname(view: ZoneView): RRset | undefined {
    if ((this.#marks & (BIT[view] << DNAME_SHIFT)) === 0) return undefined;
    return setOfType(this.sets[view], TYPE.DNAME);
  }

  /**
   * Puts a name at its place below this node, which is the apex; one without records is taken away.
   *
   * @param path - Keys of the labels below the apex, the topmost first.
   */
  place(path: readonly string[], name: PlacedName, level = 0): void {
    const label = path[level];
    if (label === undefined) return this.#fill(name, level === 0);
    this.#below ??= { children: new Map(), counts: [0, 0, 0] };
    const { children, counts } = this.#below;
    const known = children.get(label);
    const before = known === undefined ? 0 : known.#presence();
    const child = known === undefined ? new GrowingNode() : known.#changeable();
    child.place(path, name, level + 1);
    const after = child.#presence();
    for (let index = 0, bits = before ^ after; bits !== 0; index++, bits >>= 1) {
      if ((bits & 1) === 0) continue;
      counts[index] = (counts[index] ?? 0) + ((after & (1 << index)) !== 0 ? 1 : -1);
    }
    if (after !== 0) children.set(label, child);
    else children.delete(label);
    if (children.size === 0) this.#below = undefined;
  }

  /**
   * A node that can be changed without changing this one. In steps, since there may be many below.
   * Nodes with nothing below them stand in both: they are never changed, see {@link place}.
   */
  *copy(): Generator<undefined, GrowingNode> {
    const copy = this.#alone();
    if (this.#below === undefined) return copy;
    const children = new Map<string, GrowingNode>();
    const [inPublic, inMesh, inLan] = this.#below.counts;
    for (const [label, child] of this.#below.children) {
      children.set(label, child.#below === undefined ? child : yield* child.copy());
      if (children.size % NODES_A_STEP === 0) yield;
    }
    copy.#below = { children, counts: [inPublic, inMesh, inLan] };
    return copy;
  }

  #changeable(): GrowingNode {
    return this.#below === undefined ? this.#alone() : this;
  }

  #alone(): GrowingNode {
    const node = new GrowingNode();
    node.#name = this.#name;
    node.#marks = this.#marks;
    return node;
  }

  #fill(name: PlacedName, isApex: boolean): void {
    const marks = name.marks ?? marksOf(name);
    this.#marks = isApex ? marks & ~CUTS : marks;
    this.#name = name;
  }

  /** The views in which this name, or one below it, has records. */
  #presence(): number {
    let views = this.#marks & 7;
    if (this.#below === undefined) return views;
    const { counts } = this.#below;
    if (counts[0] > 0) views |= BIT.public;
    if (counts[1] > 0) views |= BIT.mesh;
    if (counts[2] > 0) views |= BIT.lan;
    return views;
  }
}

/** In which views there are records, NS and DNAME records: three bits each. */
export function marksOf({ served, existsIn }: ServedName): number {
  let marks = 0;
  for (const view of ZONE_VIEWS) {
    if (existsIn[view]) marks |= BIT[view];
    for (const { type } of served[view]) {
      if (type === TYPE.NS) marks |= BIT[view] << CUT_SHIFT;
      if (type === TYPE.DNAME) marks |= BIT[view] << DNAME_SHIFT;
    }
  }
  return marks;
}

export function setOfType(sets: readonly RRset[], type: number): RRset | undefined {
  for (const rrset of sets) if (rrset.type === type) return rrset;
  return undefined;
}
