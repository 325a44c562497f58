/**
 * What the view says about one placement group: who is to hold it, who says so, what was found.
 *
 * Everything in it was written by members about themselves or about what they found; what it
 * proves is decided by holder-standing.ts.
 */
import type { ListId, OwnerId, SetId, SiteId, StoreId } from "../../../protocol/ids.ts";
import { groupKey, repairRecord, type AuditFinding } from "../../../protocol/logs/hold-record.ts";
import {
  offerRecord,
  type PlacementRules,
  type PlaceRecord,
} from "../../../protocol/logs/record.ts";
import type { View } from "../logs/view.ts";
import { findingsOn, holdsOf, placeOf } from "./published.ts";

export interface GroupName {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly group: number;
  /** The site that signs the lists. */
  readonly by: SiteId;
}

export interface HeldList {
  readonly list: ListId;
  readonly generation: number;
  readonly storeId: StoreId;
}

export interface GroupFacts extends GroupName {
  /** How many other sites the owner wants. */
  readonly copies: number;
  /** Where the owner wants copies. */
  readonly rules: PlacementRules;
  /** As the signing site published them. */
  readonly targets: readonly SiteId[];
  readonly list: ListId;
  readonly generation: number;
  readonly bytes: number;
  /** The members of the mesh. */
  readonly members: ReadonlySet<SiteId>;
  /** By asker, then by the site asked about. */
  readonly findings: ReadonlyMap<SiteId, ReadonlyMap<SiteId, AuditFinding>>;
  /** The list of the group that a site says to hold in full, by site, and in which store. */
  readonly holding: ReadonlyMap<SiteId, HeldList>;
  readonly repairs: readonly { readonly author: SiteId; readonly to: SiteId }[];
}

/** What sites say about one set. */
interface SetWords {
  readonly findings: ReadonlyMap<SiteId, ReadonlyMap<SiteId, AuditFinding>>;
  /** By holder, then by group. */
  readonly holding: ReadonlyMap<SiteId, ReadonlyMap<number, HeldList>>;
}

/** Reads one view for many groups: what is about a whole set is read once. */
export class FactsReader {
  readonly #view: View;
  readonly #members: ReadonlySet<SiteId>;
  readonly #words = new Map<string, SetWords>();
  readonly #places = new Map<string, PlaceRecord | undefined>();

  constructor(view: View, members: ReadonlySet<SiteId>) {
    this.#view = view;
    this.#members = members;
  }

  /** Undefined when the signing site has published nothing sound about the group. */
  group(name: GroupName): GroupFacts | undefined {
    const { owner, set, by, group } = name;
    const placed = this.#placeOf(set, by);
    const at = placed?.groups[group];
    if (placed?.owner !== owner || at === undefined) return undefined;
    const { targets, list, generation, bytes } = at;
    const { copies, rules } = placed;
    const { findings, holding } = this.#wordsAbout(owner, set);
    const holders = [...holding].flatMap(([site, groups]) => {
      const held = groups.get(group);
      return held === undefined ? [] : [[site, held] as const];
    });
    return {
      ...{ ...name, copies, rules, targets, list, generation, bytes, members: this.#members },
      ...{ findings, holding: new Map(holders), repairs: repairsOf(this.#view, name) },
    };
  }

  /** All groups of a set, in their order. */
  set(name: Omit<GroupName, "group">): readonly GroupFacts[] {
    const count = this.#placeOf(name.set, name.by)?.groups.length ?? 0;
    return Array.from({ length: count }, (_none, group) => group).flatMap((group) => {
      return this.group({ ...name, group }) ?? [];
    });
  }

  #placeOf(set: SetId, by: SiteId): PlaceRecord | undefined {
    const key = `${set}/${by}`;
    if (!this.#places.has(key)) this.#places.set(key, placeOf(this.#view, set, by));
    return this.#places.get(key);
  }

  #wordsAbout(owner: OwnerId, set: SetId): SetWords {
    const key = `${owner}/${set}`;
    const words = this.#words.get(key) ?? wordsAbout(this.#view, owner, set);
    this.#words.set(key, words);
    return words;
  }
}

/** One group; who asks for several takes a {@link FactsReader}. */
export function groupFacts(
  view: View,
  members: ReadonlySet<SiteId>,
  name: GroupName,
): GroupFacts | undefined {
  return new FactsReader(view, members).group(name);
}

function wordsAbout(view: View, owner: OwnerId, set: SetId): SetWords {
  const findings = new Map<SiteId, Map<SiteId, AuditFinding>>();
  for (const { author, finding } of findingsOn(view, owner, set)) {
    const found = findings.get(author) ?? new Map<SiteId, AuditFinding>();
    findings.set(author, found.set(finding.site, finding));
  }
  const holding = new Map<SiteId, ReadonlyMap<number, HeldList>>();
  for (const { author, hold } of holdsOf(view, owner, set)) {
    const { storeId } = hold;
    const offer = offerRecord.safeParse(view.get("offer", "offer", author)?.value);
    // What it held in a store that is gone does not count.
    if (offer.success && offer.data.storeId !== storeId) continue;
    const groups = new Map<number, HeldList>();
    for (const { group, list, generation } of hold.groups) {
      if (!groups.has(group)) groups.set(group, { list, generation, storeId });
    }
    holding.set(author, groups);
  }
  return { findings, holding };
}

function repairsOf(view: View, { owner, set, by, group }: GroupName): GroupFacts["repairs"] {
  const wanted = groupKey("repair", owner, set, group);
  return view.entries("hold", wanted).flatMap(({ key, author, value }) => {
    const repair = repairRecord.safeParse(value);
    if (key !== wanted || !repair.success || repair.data.by !== by) return [];
    return repair.data.to.map((to) => ({ author, to }));
  });
}
