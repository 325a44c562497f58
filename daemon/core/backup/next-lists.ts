/**
 * Which lists of a data set change when a run adds and removes shards.
 *
 * A pure function: what to sign, not the signing. Groups are doubled when one has grown too
 * large; then all of them get a new list, and the new halves keep the holders of the old ones.
 */
import type { ListId, ShardId } from "../../../protocol/ids.ts";
import { groupOf, MAX_GROUPS, type ListEntry } from "../../../protocol/backup/list.ts";

/** A group that passes this is split: 4096 full shards. */
export const SPLIT_BYTES = 16 * 1024 ** 3;

/** The newest list of a group; groups in order, none left out. */
export interface GroupState {
  readonly generation: number;
  readonly list: ListId | null;
  readonly entries: readonly ListEntry[];
}

export interface NextList {
  readonly group: number;
  readonly groups: number;
  readonly generation: number;
  readonly previous: ListId | null;
  readonly entries: readonly ListEntry[];
}

export interface Change {
  readonly add: readonly ListEntry[];
  readonly remove: ReadonlySet<ShardId>;
  /** The shard of the new head, whose group gets a new list in any case; null: no new head. */
  readonly root: ShardId | null;
}

/**
 * The lists to sign, by group. Empty when nothing changes.
 *
 * @param splitBytes - What a group may have, unless there are {@link MAX_GROUPS}.
 */
export function nextLists(
  current: readonly GroupState[],
  change: Change,
  splitBytes = SPLIT_BYTES,
): readonly NextList[] {
  const before = current.length === 0 ? [{ generation: 0, list: null, entries: [] }] : current;
  const all = new Map<ShardId, number>();
  for (const { entries } of before) {
    for (const { shard, sizeBytes } of entries) {
      if (!change.remove.has(shard)) all.set(shard, sizeBytes);
    }
  }
  for (const { shard, sizeBytes } of change.add) all.set(shard, sizeBytes);
  const groups = groupsFor(all, before.length, splitBytes);
  const parts: ListEntry[][] = Array.from({ length: groups }, () => []);
  for (const [shard, sizeBytes] of all) parts[groupOf(shard, groups)]?.push({ shard, sizeBytes });
  return parts.flatMap((entries, group): NextList[] => {
    const origin = before[group & (before.length - 1)];
    if (origin === undefined) return [];
    const touched =
      groups !== before.length ||
      origin.list === null ||
      (change.root !== null && groupOf(change.root, groups) === group) ||
      !sameEntries(origin.entries, entries);
    if (!touched) return [];
    const { generation, list } = origin;
    return [{ group, groups, generation: generation + 1, previous: list, entries }];
  });
}

function groupsFor(all: ReadonlyMap<ShardId, number>, least: number, splitBytes: number): number {
  for (let groups = least; ; groups *= 2) {
    if (groups >= MAX_GROUPS) return groups;
    const bytes = Array.from({ length: groups }, () => 0);
    for (const [shard, sizeBytes] of all) {
      const group = groupOf(shard, groups);
      bytes[group] = (bytes[group] ?? 0) + sizeBytes;
    }
    if (Math.max(...bytes) <= splitBytes) return groups;
  }
}

function sameEntries(a: readonly ListEntry[], b: readonly ListEntry[]): boolean {
  if (a.length !== b.length) return false;
  const sizes = new Map(a.map(({ shard, sizeBytes }) => [shard, sizeBytes]));
  return b.every(({ shard, sizeBytes }) => sizes.get(shard) === sizeBytes);
}
