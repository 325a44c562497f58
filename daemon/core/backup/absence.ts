/**
 * When a site counts as silent: its copies are taken for lost until it is back.
 *
 * Time away adds up, and time in which it is linked takes it off again, {@link PRESENCE_WEIGHT}
 * times as fast. So a box that is there for an hour of every day is never silent, whenever that hour
 * is; one that shows itself for a second every three days is, because nobody could restore from it.
 * A site that fell silent has to be there for a while before it counts again: else whoever is on the
 * edge would have copies made elsewhere and given up again, to and fro.
 *
 * Times are milliseconds of the running time of the site that listens.
 */
const PRESENCE_WEIGHT = 24;
/** What a silent site has to make up for, in parts of the patience: an hour and a half at 72 h. */
const RETURN_PARTS = 0.5;

/**
 * For how long a site counts as away after some more time.
 *
 * @param awayMs - For how long before, 0 when nothing is known.
 * @param isLinked - Whether it was linked all the while; else it was not at all.
 * @param patienceMs - Away for so long: silent.
 */
export function awayAfter(
  awayMs: number,
  elapsedMs: number,
  isLinked: boolean,
  patienceMs: number,
): number {
  if (isLinked) return Math.max(0, awayMs - PRESENCE_WEIGHT * elapsedMs);
  const mostMs = patienceMs * (1 + RETURN_PARTS);
  const nextMs = awayMs + elapsedMs;
  return awayMs < patienceMs && nextMs >= patienceMs ? mostMs : Math.min(mostMs, nextMs);
}

export function isSilent(awayMs: number, patienceMs: number): boolean {
  return awayMs >= patienceMs;
}
