/**
 * What is asked in one round: random leaves of everything the holder says to have, and some whole
 * shards, so that in the course of many rounds every shard is asked for whole.
 *
 * Leaves are drawn evenly over all bytes, so 490 of them find a loss of 1 % with
 * 1 - 0.99^490 = 99.3 %. Whole shards come round by a number in their name: nothing has to be
 * remembered, and shards that come and go disturb nobody else's turn.
 */
import type { ShardId } from "../../../protocol/ids.ts";
import type { ListEntry } from "../../../protocol/backup/list.ts";
import { LEAF_BYTES } from "../../../protocol/backup/shard-id.ts";

/** 7 rounds ask 490: see above. */
export const LEAVES_IN_ROUND = 70;
/** At 30 rounds, sets up to 1.9 TiB are gone through in time; larger ones take longer. */
const MAX_WHOLES_IN_ROUND = 16_384;

/** One thing that was asked and is to be answered. */
export interface AuditItem {
  readonly group: number;
  readonly shard: ShardId;
  readonly sizeBytes: number;
  /** Number of the leaf; null: the shard as a whole. */
  readonly leaf: number | null;
}

export interface ClaimedGroup {
  readonly group: number;
  readonly bytes: number;
}

/** A number evenly distributed in [0, limit), `limit` at most 2^48. */
export type Draw = (limit: number) => number;

/** How many leaves to ask of each group: drawn by their bytes. */
export function spreadLeaves(
  groups: readonly ClaimedGroup[],
  count: number,
  draw: Draw,
): ReadonlyMap<number, number> {
  const total = groups.reduce((sum, { bytes }) => sum + bytes, 0);
  const counts = new Map<number, number>();
  if (total === 0) return counts;
  for (let drawn = 0; drawn < count; drawn++) {
    let at = draw(total);
    const hit = groups.find(({ bytes }) => (at -= bytes) < 0);
    if (hit !== undefined) counts.set(hit.group, (counts.get(hit.group) ?? 0) + 1);
  }
  return counts;
}

/** So many leaves of a list, drawn evenly over its bytes; the same one not twice. */
export function chooseLeaves(
  group: number,
  entries: readonly ListEntry[],
  count: number,
  draw: Draw,
): readonly AuditItem[] {
  const ends: number[] = [];
  let leaves = 0;
  for (const { sizeBytes } of entries) {
    leaves += sizeBytes / LEAF_BYTES;
    ends.push(leaves);
  }
  const drawn = new Set<number>();
  for (let left = count; left > 0 && leaves > 0; left--) drawn.add(draw(leaves));
  return [...drawn].flatMap((number) => {
    const index = indexOf(ends, number);
    const entry = entries[index];
    if (entry === undefined) return [];
    const { shard, sizeBytes } = entry;
    return [{ group, shard, sizeBytes, leaf: number - (ends[index - 1] ?? 0) }];
  });
}

/** The shards of a list whose turn to be asked whole it is in this round. */
export function wholesInTurn(
  group: number,
  entries: readonly ListEntry[],
  round: number,
  rounds: number,
): readonly AuditItem[] {
  return entries
    .filter(({ shard }) => Number.parseInt(shard.slice(0, 12), 16) % rounds === round % rounds)
    .slice(0, MAX_WHOLES_IN_ROUND)
    .map(({ shard, sizeBytes }) => ({ group, shard, sizeBytes, leaf: null }));
}

/** The first index whose end lies beyond the number. */
function indexOf(ends: readonly number[], number: number): number {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ends[middle] ?? 0) <= number) low = middle + 1;
    else high = middle;
  }
  return low;
}
