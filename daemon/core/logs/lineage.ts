/**
 * Which logs of one lineage count, and from where on.
 *
 * A lineage is what one author writes in one part of one class. Its newer logs take up its older
 * ones. Only the newest counting snapshot of a log speaks for it, so the answer depends on where
 * each log ends, not on which older snapshots a node still holds. The logs are gone through by
 * (started, id), the latest first: a log that those before it have not taken up whole lets its
 * own word apply to those after it. So a log that was taken up whole has no say, and whether a
 * node holds it makes no difference.
 */
import type { Retirement } from "../../../protocol/logs/envelope.ts";
import type { LogId } from "../../../protocol/ids.ts";

/** What the newest counting snapshot of a log says; see protocol/logs/envelope.ts. */
export interface SnapshotWord {
  readonly started: number;
  readonly retires: readonly Retirement[];
  readonly floor: number;
  readonly past: number;
}

/** A log, and its last entry that counts by itself. */
export interface LogEnd {
  readonly log: LogId;
  /** 1 or more. */
  readonly seq: number;
  readonly word: SnapshotWord;
}

/** Up to where others have taken a log up. */
export interface TakenUp {
  /** 0: none of it, the log is live. Infinity: whole, whatever may still come of it. */
  readonly seq: number;
  /** Versions up to this number say nothing here: they stand in other logs, or went there. */
  readonly lamport: number;
}

const LIVE: TakenUp = { seq: 0, lamport: 0 };
const WHOLE: TakenUp = { seq: Infinity, lamport: Infinity };

/**
 * Up to where each log is taken up; it counts when it ends behind that.
 *
 * @param logs - Of one lineage, each once, in any order.
 */
export function judgeLineage(logs: readonly LogEnd[]): Map<LogId, TakenUp> {
  const judged = new Map<LogId, TakenUp>();
  const retired = new Map<LogId, TakenUp>();
  let floor = 0;
  for (const { log, seq, word } of logs.toSorted(latestFirst)) {
    const takenUp = word.started < floor ? WHOLE : (retired.get(log) ?? LIVE);
    judged.set(log, takenUp);
    if (seq <= takenUp.seq) continue;
    floor = Math.max(floor, word.floor);
    for (const named of word.retires) {
      if (named.seq > (retired.get(named.log)?.seq ?? 0)) retired.set(named.log, named);
    }
  }
  for (const [log, lamport] of echoes(logs, judged)) judged.set(log, { seq: 0, lamport });
  return judged;
}

/**
 * Live logs of which all that they began with was taken up further by another live one, with the
 * Lamport number up to which they only repeat it: a box that was put back to an older image must
 * not bring back what was deleted since.
 */
function echoes(
  logs: readonly LogEnd[],
  judged: ReadonlyMap<LogId, TakenUp>,
): (readonly [LogId, number])[] {
  const live = logs.filter(({ log }) => judged.get(log)?.seq === 0);
  return live
    .filter((log) => live.some((other) => other !== log && knowsMore(other, log)))
    .map(({ log, word }) => [log, word.started] as const);
}

/** Whether all that `less` has taken up was taken up by `more`, and something of it further. */
function knowsMore(more: LogEnd, less: LogEnd): boolean {
  const covers = ({ word }: LogEnd, { log, seq, started }: Retirement): number => {
    if (started < word.floor) return Infinity;
    return (word.retires.find((named) => named.log === log)?.seq ?? 0) - seq;
  };
  if (less.word.floor > more.word.floor || less.word.retires.length === 0) return false;
  const further = less.word.retires.map((named) => covers(more, named));
  return further.every((by) => by >= 0) && further.some((by) => by > 0);
}

/** The order in which logs have their say. */
export function latestFirst(
  a: { readonly log: LogId; readonly word: Pick<SnapshotWord, "started"> },
  b: { readonly log: LogId; readonly word: Pick<SnapshotWord, "started"> },
): number {
  return b.word.started - a.word.started || (a.log > b.log ? -1 : a.log < b.log ? 1 : 0);
}

/** More than anybody can write; a number beyond it could not be added to any more. */
const MAX_PAST = 2 ** 48;

/**
 * How many entries a lineage has had, those that were taken up included. It never falls by taking
 * up or dropping; only what is cut off lowers it.
 *
 * @param counting - The logs that count, with what was taken up of each.
 */
export function entriesEver(
  counting: readonly { readonly seq: number; readonly from: number; readonly past: number }[],
): number {
  const past = counting.reduce((most, log) => Math.max(most, log.past), 0);
  const ever = counting.reduce((sum, { seq, from }) => sum + seq - from, past);
  return Math.min(ever, MAX_PAST);
}

/** What a floor adds to `past` for each log that it covers: more than a lost tail of one holds. */
const UNSEEN_ENTRIES = 1024;

/**
 * What a new snapshot says of the logs that it takes up.
 *
 * Those that do not fit its list, the earliest ones, go below its floor.
 *
 * @param taken - All that it takes up or that those had taken up, each log once.
 * @param before - The highest floor in what it takes up.
 * @param past - Entries in what it takes up.
 * @param most - How many names fit.
 */
export function wordOver(
  taken: readonly Retirement[],
  before: number,
  past: number,
  most: number,
): Pick<SnapshotWord, "retires" | "floor" | "past"> {
  const above = taken
    .filter(({ started }) => started >= before)
    .toSorted((a, b) => b.started - a.started || (a.log < b.log ? -1 : 1));
  const first = above[most];
  if (first === undefined) return { retires: above, floor: before, past };
  const floor = first.started + 1;
  const retires = above.filter(({ started }) => started >= floor);
  return { retires, floor, past: past + (above.length - retires.length) * UNSEEN_ENTRIES };
}
