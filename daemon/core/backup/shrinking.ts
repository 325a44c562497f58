/**
 * Whether a data set has shrunk so much that a person has to agree before anything of it goes.
 *
 * Compared is what its newest lists name and this holder has, with the most that they ever named
 * and it had within the lock. So five lists, each a little smaller, are as one that is a lot
 * smaller; and a list that only names much, without its shards, hides nothing.
 */
import { DAY_MS } from "./retention-lock.ts";

/** More of the largest size than this may not go without a person. */
export const MOST_SHRINKING_RATIO = 0.2;
/** Peaks that are remembered. With a long lock each of them stands for several days. */
export const MAX_PEAKS = 64;

/** The most that was held at about some time. */
export interface Peak {
  /** The last moment of running time at which so much was held. */
  readonly atMs: number;
  readonly bytes: number;
}

export interface Asked {
  /** Running time at which it was noticed. */
  readonly sinceMs: number;
  readonly fromBytes: number;
  readonly toBytes: number;
}

/**
 * Peaks after a look: only such as are larger than all later ones, none older than the lock.
 *
 * @param bytes - What the newest lists name and what is here of it.
 */
export function nextPeaks(
  peaks: readonly Peak[],
  bytes: number,
  lockDays: number,
  nowMs: number,
): readonly Peak[] {
  const lockMs = lockDays * DAY_MS;
  const larger = peaks.filter((peak) => peak.bytes > bytes && nowMs - peak.atMs <= lockMs);
  const next = [...larger, { atMs: nowMs, bytes }];
  while (next.length > MAX_PEAKS) {
    // Two neighbours that are closest in time become one, as large as the first, as late as the
    // second: nothing is forgotten too early.
    const gaps = next.slice(1).map(({ atMs }, at) => atMs - (next[at]?.atMs ?? 0));
    const at = gaps.indexOf(Math.min(...gaps));
    const [first, second] = [next[at], next[at + 1]];
    if (first === undefined || second === undefined) break;
    next.splice(at, 2, { atMs: second.atMs, bytes: first.bytes });
  }
  return next;
}

/** What a person has to be asked; undefined when nothing. */
export function shrunk(peaks: readonly Peak[], bytes: number, nowMs: number): Asked | undefined {
  const largest = Math.max(0, ...peaks.map((peak) => peak.bytes));
  if (bytes >= largest * (1 - MOST_SHRINKING_RATIO)) return undefined;
  return { sinceMs: nowMs, fromBytes: largest, toBytes: bytes };
}
