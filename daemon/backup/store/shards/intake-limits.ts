/**
 * How much of one list may come now: what is lent, what the disk has, and the owner's daily intake.
 *
 * A list is taken in even where its shards have to wait: what it names is under the lock from then
 * on. A first upload has no daily limit, nor has a group that a co-holder brings which says that it
 * holds that very list: it came in somewhere else under that holder's limit.
 */
import { holdOf } from "../../../core/backup/published.ts";
import type { ListId, SiteId } from "../../../../protocol/ids.ts";
import type { ListHeader } from "../../../../protocol/backup/list.ts";
import type { Refusal } from "../../../../protocol/messages/shard-message.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import type { LoadedList } from "../lists/list-store.ts";
import type { Reservation } from "./quota.ts";

export interface IntakeLimits {
  /** Shard bytes that may come now. */
  readonly bytes: number;
  readonly lists: number;
  /** How much of what is lent the owner may use; undefined: nothing is lent to it. */
  readonly roomBytes: number | undefined;
  /** Until more may come. */
  readonly waitSeconds: number;
  /** Takes from what may come today; a negative number gives back. */
  spend(bytes: number, lists: number): Promise<void>;
}

/** @param from - Whoever brings the list. */
export function intakeLimits(
  holder: Holder,
  header: ListHeader,
  id: ListId,
  from: SiteId,
): IntakeLimits {
  const { intake, state } = holder;
  const { owner, set, by } = header;
  const delegation = state.authority().delegationFor(owner, set, by)?.statement;
  if (delegation === undefined) {
    throw new BackupError("E-BACKUP-RIGHT", "The site may no longer write the data set.");
  }
  const sender = { owner, delegation };
  const { bytes, lists, isFirst } = intake.left(sender);
  const isFree = isFirst || (from !== by && isHeldBy(holder, header, id, from));
  return {
    bytes: isFree ? Number.POSITIVE_INFINITY : bytes,
    lists,
    roomBytes: intake.roomBytes(sender),
    waitSeconds: intake.waitSeconds(sender),
    spend: (spent, count) => intake.spend(sender, isFree ? 0 : spent, count),
  };
}

/** What may come now of one list. Without a reservation it is not taken in. */
export interface Room {
  readonly wanted: readonly number[];
  readonly reservation: Reservation | undefined;
  /** What is left for the owner, in bytes. */
  readonly freeBytes: number;
  /** Where there is no reservation, the reason. */
  readonly why: Extract<Refusal, "space" | "cap" | "owner">;
}

/**
 * Which of the missing shards may come now, with room reserved for them. A list of which nothing is
 * missing is taken in on any terms: it takes no room, and what is stored is never evicted.
 */
export async function roomOf(
  holder: Holder,
  list: LoadedList,
  missing: readonly number[],
  limits: IntakeLimits,
): Promise<Room> {
  const { quota, shards } = holder;
  const { owner } = list.header;
  const diskBytes = await shards.freeBytes();
  const roomBytes = limits.roomBytes ?? 0;
  const freeBytes = Math.min(diskBytes, quota.freeFor(owner, roomBytes));
  const missingBytes = bytesOf(list, missing);
  const isSpace = missingBytes > Math.min(diskBytes, quota.freeBytes);
  const why = limits.roomBytes === undefined ? "owner" : isSpace ? "space" : "cap";
  if (missingBytes > freeBytes) return { wanted: [], reservation: undefined, freeBytes, why };
  let leftBytes = limits.bytes;
  const wanted: number[] = [];
  for (const index of missing) {
    leftBytes -= list.entries[index]?.sizeBytes ?? 0;
    if (leftBytes < 0) break;
    wanted.push(index);
  }
  const reservation = quota.reserve(owner, bytesOf(list, wanted), roomBytes);
  return { wanted, reservation, freeBytes, why };
}

export function bytesOf(list: LoadedList, indexes: readonly number[]): number {
  return indexes.reduce((sum, at) => sum + (list.entries[at]?.sizeBytes ?? 0), 0);
}

function isHeldBy({ state }: Holder, header: ListHeader, id: ListId, site: SiteId): boolean {
  const hold = holdOf(state.view(), header.owner, header.set, site);
  return hold?.groups.some((one) => one.list === id) ?? false;
}
