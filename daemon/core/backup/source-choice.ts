/**
 * From which of several holders the next shard is fetched, and when to go on with another one.
 *
 * Each holder gets work by its measured speed, so a slow line gives little and holds nobody up.
 * A shard that crawls is gone on with at a faster holder: its ranges are verified one by one, so
 * what came stays. A holder that gave what is not the shard comes last.
 */
/** To change costs a round trip and the range that is under way: it has to be worth that. */
const WORTH_FACTOR = 3;

export interface Source {
  /** Whoever it is, as the caller names them. */
  readonly id: string;
  /** Shards that are on their way from it. */
  readonly underWay: number;
  /** What it gave last, all of them together; undefined when nothing is known. */
  readonly bytesPerSecond: number | undefined;
  /** It gave what was not the shard. */
  readonly isDistrusted: boolean;
}

/** Those to ask, best first: who would give one more shard the soonest. Unknown ones are tried. */
export function orderSources(sources: readonly Source[]): readonly string[] {
  return sources
    .toSorted(
      (a, b) =>
        Number(a.isDistrusted) - Number(b.isDistrusted) ||
        waitOf(a) - waitOf(b) ||
        a.underWay - b.underWay,
    )
    .map(({ id }) => id);
}

/** Whether another source would bring the rest of a shard much sooner than the one that is at it. */
export function isWorthChanging(current: Source, others: readonly Source[]): boolean {
  const { bytesPerSecond, underWay } = current;
  if (bytesPerSecond === undefined) return false;
  const oneShare = Math.max(1, underWay) / bytesPerSecond;
  return others.some(
    (other) =>
      !other.isDistrusted &&
      other.bytesPerSecond !== undefined &&
      waitOf(other) * WORTH_FACTOR < oneShare,
  );
}

/** Seconds for a byte, if it gave one shard more; 0 for an unknown one that gives none. */
function waitOf({ underWay, bytesPerSecond }: Source): number {
  return (underWay + 1) / (bytesPerSecond ?? Number.POSITIVE_INFINITY);
}
