/**
 * What a list has to name that goes above two lists of one group, of which neither knew the other.
 *
 * One of them may be the work of somebody who had taken the box over: entries that no list of this
 * group may have are left out, and a flood of them does not keep the own list from being signed.
 */
import { groupOf, MAX_LIST_ENTRIES, type ListEntry } from "../../../../protocol/backup/list.ts";
import type { LoadedList } from "../lists/list-store.ts";

/** @param theirs - Named as far as they belong into the group and all of them have room. */
export function unionOf(
  { header: { group, groups }, entries }: Pick<LoadedList, "header" | "entries">,
  theirs: readonly ListEntry[],
): readonly ListEntry[] {
  const fitting = theirs.filter(({ shard }) => groupOf(shard, groups) === group);
  const union = new Map([...fitting, ...entries].map((entry) => [entry.shard, entry]));
  // Holders keep what only the other one names for as long as the lock says.
  return union.size > MAX_LIST_ENTRIES ? entries : [...union.values()];
}
