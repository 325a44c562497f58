/**
 * When a key epoch is over, and when its key may go.
 *
 * An epoch that is over seals nothing more. With `history = "sealed"` its key goes as soon as as
 * many sites as the data set wants copies have signed for a shard that carries its capsule: what
 * was sealed with it is then opened by the phrase alone.
 */
import type { SiteId } from "../../../protocol/ids.ts";

/** What a box may read of its own past. */
export type History = "box" | "sealed";

/** How long a key epoch lasts: one run, or so many milliseconds. */
export type EpochLength = "run" | number;

export interface EpochFacts {
  /** By the clock of this machine when it began. */
  readonly sinceMs: number;
  /** Whether a run has listed something that is sealed with its key. */
  readonly isUsed: boolean;
}

/** A clock that was ahead when the epoch began only makes it longer, never endless: see the cap. */
const MAX_AHEAD_MS = 86_400_000;

export function isEpochOver(
  { sinceMs, isUsed }: EpochFacts,
  length: EpochLength,
  nowMs: number,
): boolean {
  if (length === "run") return isUsed;
  return nowMs - sinceMs >= length || sinceMs - nowMs > MAX_AHEAD_MS;
}

/**
 * The number of the next epoch: above all that this box knows, and all that the lists name, so
 * that a box which was set back to an old image gives no number twice.
 */
export function nextEpoch(known: readonly number[], listed: number): number {
  return Math.max(0, listed, ...known) + 1;
}

/** @param signers - Sites that have signed for a shard with the capsule, this one not among them. */
export function isCapsuleSafe(signers: ReadonlySet<SiteId>, copies: number): boolean {
  return signers.size >= Math.max(1, copies);
}

/** Longer than a key waits for its signatures when all is well. */
const LATE_MS = 86_400_000;

/**
 * Epochs whose keys are here although they were over a day ago.
 *
 * @param here - Epochs whose keys are here, the newest last: each was over when the next began.
 */
export function lateEpochs(
  here: readonly { readonly epoch: number; readonly sinceMs: number }[],
  nowMs: number,
): readonly number[] {
  return here.flatMap(({ epoch }, at) => {
    const overMs = here[at + 1]?.sinceMs;
    return overMs !== undefined && nowMs - overMs >= LATE_MS ? [epoch] : [];
  });
}
