/**
 * Which shards no list names any more, since when, and when each may go.
 *
 * A pure function of the lists that a holder took in, told as what each one left out. A shard goes only when the two newest lists both lack it, its lock is over, and it has lain
 * in the trash for {@link TRASH_MS} after that. The lock runs from the moment at which a list
 * first lacked the shard: as long as the newest list names it, the lock starts anew all the time.
 */
import type { ShardId } from "../../../protocol/ids.ts";
import type { ListEntry } from "../../../protocol/backup/list.ts";
import { DAY_MS, TRASH_MS } from "../backup/retention-lock.ts";

/** How one list of a group gave way to the next. */
export interface ListChange {
  /** Running time of the holder at which the next list was taken in. */
  readonly atMs: number;
  /** The number of the list that went, counted by the holder: 1 for the first of the group. */
  readonly count: number;
  /** What the next list did not name. */
  readonly left: readonly ListEntry[];
}

/** The newest list of a group, as its holder counts. */
export interface Taken {
  readonly count: number;
  /** Running time at which it was taken in. */
  readonly atMs: number;
}

export interface Departure {
  readonly sizeBytes: number;
  /** When a list first lacked it. */
  readonly leftMs: number;
  /** When a second list in a row lacked it; undefined while only one does. */
  readonly secondMs: number | undefined;
}

/**
 * What the lists of one group have left out, as of the last time that each shard was. What a later
 * list named again, and none has left out since, is named by the newest one: the caller, who has
 * it, takes that away.
 *
 * @param changes - In their order, oldest first.
 */
export function departuresOf(
  changes: readonly ListChange[],
  newest: Taken,
): Map<ShardId, Departure> {
  const departed = new Map<ShardId, Departure>();
  for (const [index, { atMs, count, left }] of changes.entries()) {
    const after = changes[index + 1]?.atMs ?? newest.atMs;
    const secondMs = newest.count - count >= 2 ? after : undefined;
    for (const { shard, sizeBytes } of left) {
      departed.set(shard, { sizeBytes, leftMs: atMs, secondMs });
    }
  }
  return departed;
}

/**
 * When a shard comes into the trash; undefined while only one list lacks it.
 *
 * @param agreedMs - When a person last agreed to what was asked; 0 for never.
 */
export function trashedAtMs(
  { leftMs, secondMs }: Departure,
  lockDays: number,
  agreedMs: number,
): number | undefined {
  if (secondMs === undefined) return undefined;
  return Math.max(leftMs + lockDays * DAY_MS, secondMs, agreedMs);
}

/** Whether a shard may be deleted. @param isHeld - A person was asked and has not agreed yet. */
export function mayGo(
  departure: Departure,
  lockDays: number,
  agreedMs: number,
  isHeld: boolean,
  nowMs: number,
): boolean {
  const trashedMs = trashedAtMs(departure, lockDays, agreedMs);
  return !isHeld && trashedMs !== undefined && nowMs - trashedMs >= TRASH_MS;
}
