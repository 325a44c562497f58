/**
 * Which upstream is asked first, which when that is slow, and which not at all.
 *
 * Encrypted ones come before plain ones whatever they take: a plain one is asked only when no
 * encrypted one can be reached, since it lets everybody on the way read along. Among equals the
 * one with the shortest round trip is first; what was measured long ago counts for less and less,
 * so that one that was slow once is tried again.
 */

export interface UpstreamHealth {
  readonly encrypted: boolean;
  /** Smoothed round-trip time; undefined: nothing is known. */
  readonly roundTripMs: number | undefined;
  /** When it was measured last. */
  readonly measuredAtMs: number;
  /** A question waits for long already, and whether it is there is being found out. */
  readonly suspected: boolean;
  /** Times in a row that it was looked for in vain; above 0 it is not asked. */
  readonly failures: number;
}

/** A measurement counts half after so long. */
const HALF_LIFE_MS = 300_000;
/** The weight of a new measurement. */
const SMOOTHING = 0.3;

/**
 * Places in the list, in groups: the second is for when the first is gone as a whole. None: nobody
 * can be asked.
 */
export function orderUpstreams(
  all: readonly UpstreamHealth[],
  nowMs: number,
): readonly (readonly number[])[] {
  return [true, false].flatMap((encrypted) => {
    const group = [...all.entries()]
      .filter(([, each]) => each.encrypted === encrypted && each.failures === 0)
      .toSorted(
        ([, a], [, b]) =>
          Number(a.suspected) - Number(b.suspected) || expected(a, nowMs) - expected(b, nowMs),
      );
    return group.length === 0 ? [] : [group.map(([index]) => index)];
  });
}

function expected({ roundTripMs, measuredAtMs }: UpstreamHealth, nowMs: number): number {
  return (roundTripMs ?? 0) * 0.5 ** ((nowMs - measuredAtMs) / HALF_LIFE_MS);
}

/** After an answer that took so long. */
export function afterAnswer(health: UpstreamHealth, tookMs: number, nowMs: number): UpstreamHealth {
  const before = health.roundTripMs ?? tookMs;
  const roundTripMs = before + SMOOTHING * (tookMs - before);
  return { ...health, roundTripMs, measuredAtMs: nowMs, suspected: false, failures: 0 };
}

/** After it was looked for in vain. */
export function afterFailure(health: UpstreamHealth): UpstreamHealth {
  return { ...health, suspected: false, failures: health.failures + 1 };
}

const FIRST_RETRY_MS = 1000;
/** A line that is back is found out after this at the latest. */
const MAX_RETRY_MS = 10_000;

/** When to look again for one that is gone. */
export function retryMs({ failures }: UpstreamHealth): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS);
}

const [MIN_HEDGE_MS, MAX_HEDGE_MS] = [100, 600] as const;

/** How long the first of a group may take before the next is asked, too. */
export function hedgeMs({ roundTripMs }: UpstreamHealth): number {
  if (roundTripMs === undefined) return MAX_HEDGE_MS;
  return Math.min(Math.max(roundTripMs * 2 + 50, MIN_HEDGE_MS), MAX_HEDGE_MS);
}
