/**
 * Whether another transfer may begin at a holder that takes in only so many at once.
 *
 * Most of them only wait, for later hops or for a slow line, so all slots may be taken for hours. Two
 * members must not be able to hold all of them: who has fewer than another by two or more takes one
 * of the other's, the one that has brought nothing for the longest. What came of it is on the disk
 * and goes on from there later. Where all have as few as the newcomer, one that brought nothing for
 * half an hour makes way.
 */
import type { SiteId } from "../../../protocol/ids.ts";

/** Transfers taken in at once. The transport takes as many streams of a peer. */
export const MAX_TRANSFERS = 32;
/** Of these from one peer, also while nobody else wants one: its other streams need room, too. */
export const MAX_OF_PEER = 16;
/** A transfer that brought no shard for so long makes way, in ms. */
export const STALLED_MS = 30 * 60_000;

export interface RunningTransfer {
  /** Who brings it. */
  readonly from: SiteId;
  /** When a shard came last, or it began; by a monotonic clock. */
  readonly progressMs: number;
}

/** @returns the transfer that makes way; undefined when none has to. */
export function turnOf<Running extends RunningTransfer>(
  running: readonly Running[],
  peer: SiteId,
  nowMs: number,
): { readonly may: boolean; readonly instead?: Running } {
  const counts = new Map<SiteId, number>();
  for (const { from } of running) counts.set(from, (counts.get(from) ?? 0) + 1);
  const own = counts.get(peer) ?? 0;
  if (own >= MAX_OF_PEER) return { may: false };
  if (running.length < MAX_TRANSFERS) return { may: true };
  const most = Math.max(...counts.values());
  const stalest = running
    .filter(({ from, progressMs }) => {
      return most > own + 1 ? counts.get(from) === most : nowMs - progressMs >= STALLED_MS;
    })
    .toSorted((a, b) => a.progressMs - b.progressMs)[0];
  return stalest === undefined ? { may: false } : { may: true, instead: stalest };
}
