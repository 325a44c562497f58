/**
 * Which snapshots are forgotten: those that no "keep within" rule keeps. Never "keep the last N":
 * whoever plants N snapshots would push every honest one out.
 *
 * A rule keeps what is younger than a time: all of it, or of each day, week or month the first and
 * the last. The first was there before anything that was planted later that day, the last came
 * after anything that was planted ahead. Age is counted from the newest snapshot that is not in
 * the future, so a clock that jumps ahead forgets nothing, and one dated ahead pushes nothing out.
 */
const DAY_MS = 86_400_000;

export interface KeepRule {
  readonly withinMs: number;
  /** 0: all of them. Else the first and the last of each so many days. */
  readonly everyDays: 0 | 1 | 7 | 30;
}

interface Dated {
  /** By the clock of the site that made it. */
  readonly atMs: number;
}

/**
 * @param snapshots - In the order in which they were made. The last one is never forgotten.
 * @param nowMs - The wall clock.
 * @returns those that are forgotten, in the same order. Without rules none is.
 */
export function forgotten<Snapshot extends Dated>(
  snapshots: readonly Snapshot[],
  rules: readonly KeepRule[],
  nowMs: number,
): Snapshot[] {
  if (rules.length === 0) return [];
  const past = snapshots.filter(({ atMs }) => atMs <= nowMs);
  const newestMs = Math.max(...past.map(({ atMs }) => atMs));
  const kept = new Set<Snapshot>(snapshots.filter(({ atMs }) => atMs > nowMs));
  const last = snapshots.at(-1);
  if (last !== undefined) kept.add(last);
  for (const { withinMs, everyDays } of rules) {
    const young = past.filter(({ atMs }) => newestMs - atMs <= withinMs);
    if (everyDays === 0) {
      for (const snapshot of young) kept.add(snapshot);
      continue;
    }
    const buckets = new Map<number, [first: Snapshot, last: Snapshot]>();
    for (const snapshot of young) {
      const bucket = Math.floor(snapshot.atMs / (everyDays * DAY_MS));
      buckets.set(bucket, [buckets.get(bucket)?.[0] ?? snapshot, snapshot]);
    }
    for (const snapshot of [...buckets.values()].flat()) kept.add(snapshot);
  }
  return snapshots.filter((snapshot) => !kept.has(snapshot));
}

/**
 * Whether a shard leaves the index: less than half of it is still used by the newest snapshot. The
 * next run stores what is used of it anew, from the files.
 */
export function isTired(liveBytes: number, contentBytes: number): boolean {
  return liveBytes * 2 < contentBytes;
}
