/**
 * What the view says about one placement group: who is to hold it, who says so, what was found.
 *
 * Everything in it was written by members about themselves or about what they found; what it
 * proves is decided by holder-standing.ts.
 */
import type { ListId, OwnerId, SetId, SiteId, StoreId } from "../../../protocol/ids.ts";
import {
  auditKey,
  auditRecord,
  groupKey,
  repairRecord,
  type AuditFinding,
} from "../../../protocol/logs/hold-record.ts";
import { offerRecord, type PlacementRules } from "../../../protocol/logs/record.ts";
import type { View } from "../logs/view.ts";
import { holdsOf, placeOf } from "./published.ts";

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

/** Undefined when the signing site has published nothing sound about the group. */
export function groupFacts(
  view: View,
  members: ReadonlySet<SiteId>,
  name: GroupName,
): GroupFacts | undefined {
  const { owner, set, by, group } = name;
  const placed = placeOf(view, set, by);
  const at = placed?.groups[group];
  if (placed?.owner !== owner || at === undefined) return undefined;
  const { targets, list, generation, bytes } = at;
  const { copies, rules } = placed;
  const own = { copies, rules, targets, list, generation, bytes, members };
  return { ...name, ...own, ...saidOf(view, name) };
}

/** The same for all groups of a set, in their order. */
export function setFacts(
  view: View,
  members: ReadonlySet<SiteId>,
  name: Omit<GroupName, "group">,
): readonly GroupFacts[] {
  const count = placeOf(view, name.set, name.by)?.groups.length ?? 0;
  return Array.from({ length: count }, (_none, group) => group).flatMap((group) => {
    return groupFacts(view, members, { ...name, group }) ?? [];
  });
}

function saidOf(view: View, { owner, set, by, group }: GroupName) {
  const findings = new Map<SiteId, ReadonlyMap<SiteId, AuditFinding>>();
  for (const { key, author, value } of view.entries("hold", auditKey(owner, set))) {
    const audit = auditRecord.safeParse(value);
    if (key !== auditKey(owner, set) || !audit.success) continue;
    findings.set(author, new Map(audit.data.holders.map((finding) => [finding.site, finding])));
  }
  const holding = new Map<SiteId, HeldList>();
  for (const { author, hold } of holdsOf(view, owner, set)) {
    const offer = offerRecord.safeParse(view.get("offer", "offer", author)?.value);
    // What it held in a store that is gone does not count.
    if (offer.success && offer.data.storeId !== hold.storeId) continue;
    const held = hold.groups.find((one) => one.group === group);
    if (held !== undefined) holding.set(author, { ...held, storeId: hold.storeId });
  }
  const wanted = groupKey("repair", owner, set, group);
  const repairs = view.entries("hold", wanted).flatMap(({ key, author, value }) => {
    const repair = repairRecord.safeParse(value);
    if (key !== wanted || !repair.success || repair.data.by !== by) return [];
    return repair.data.to.map((to) => ({ author, to }));
  });
  return { findings, holding, repairs };
}
