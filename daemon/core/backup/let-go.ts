/**
 * Groups that a holder has let go: what it signed for of them is void, also where the receipts come
 * up again at another site.
 *
 * A group is named with the number of groups that there were, because a set may have been split since.
 */
import type { OwnerId, SetId, SiteId } from "../../../protocol/ids.ts";
import type { View } from "../logs/view.ts";
import { holdOf } from "./published.ts";

/** A group of so many, a power of two. */
export interface Part {
  readonly group: number;
  readonly groups: number;
}

/** The groups of a set that a site says to have let go. */
export function letGoOf(view: View, site: SiteId, owner: OwnerId, set: SetId): readonly Part[] {
  return holdOf(view, owner, set, site)?.letGo ?? [];
}

/** Whether a group, or a part or the whole of it, is among them. */
export function isLetGo(parts: readonly Part[], group: Part): boolean {
  return parts.some((part) => overlap(part, group));
}

/** Whether a site says that it has let go of the group. */
export function hasLetGo(
  view: View,
  site: SiteId,
  of: Part & { readonly owner: OwnerId; readonly set: SetId },
): boolean {
  return isLetGo(letGoOf(view, site, of.owner, of.set), of);
}

/** What was let go, after the group was let go, too. */
export function withPart(parts: readonly Part[], added: Part): readonly Part[] {
  return [...withoutPart(parts, added), { group: added.group, groups: added.groups }];
}

/** What is let go still when the group is held in full again. */
export function withoutPart(parts: readonly Part[], held: Part): readonly Part[] {
  return parts.flatMap((part) => (overlap(part, held) ? rest(part, held) : part));
}

/** What is left of a part when a part of it is taken away. */
function rest(part: Part, taken: Part): readonly Part[] {
  if (part.groups >= taken.groups) return [];
  const { group, groups } = part;
  return [group, group + groups]
    .map((half) => ({ group: half, groups: groups * 2 }))
    .flatMap((half) => (overlap(half, taken) ? rest(half, taken) : half));
}

/** Whether shards may belong to both. */
export function overlap(a: Part, b: Part): boolean {
  const fewer = Math.min(a.groups, b.groups);
  return (a.group & (fewer - 1)) === (b.group & (fewer - 1));
}
