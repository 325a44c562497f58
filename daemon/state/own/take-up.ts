/**
 * What a new snapshot of this site holds: the records of the logs that it takes up, and what it says of
 * those logs.
 */
import { MAX_LIVE_BYTES, MAX_LIVE_RECORDS } from "../../../protocol/logs/document-limits.ts";
import { MAX_RETIREMENTS, type Retirement } from "../../../protocol/logs/envelope.ts";
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import { isSharedClass, type RecordClass } from "../../../protocol/logs/record-class.ts";
import { versionId } from "../../../protocol/logs/record-version.ts";
import { entriesEver, wordOver } from "../../core/logs/lineage.ts";
import { versionCost } from "../../core/logs/log-document.ts";
import type { HeldLog } from "../held-log.ts";
import { isBehind, type CountingLog, type Shelf } from "../shelf.ts";
import { isNewer, type NamedVersion } from "./newer.ts";
import type { SnapshotContent } from "./open-log.ts";
import type { Change, OwnPart } from "./own-part.ts";

/** What a snapshot holds beside what it takes up, and what it does not take up. */
export interface Surroundings {
  /** The log that it goes on; undefined: it begins one. */
  readonly current: LogId | undefined;
  /** Versions that no other log may hold. */
  readonly lost: readonly Change[];
  /** Logs that it leaves as they are. */
  readonly beside: readonly HeldLog[];
  /** The log that it takes up before others, when not all fit. */
  readonly first: LogId | undefined;
}

export interface TakenUpContent extends SnapshotContent {
  /** How many logs stay live beside it, because they do not fit. */
  readonly live: number;
}

export function takeUp(
  shelf: Shelf,
  siteId: SiteId,
  { class: recordClass, lineage }: OwnPart,
  { current, lost, beside, first }: Surroundings,
): TakenUpContent {
  // Those of too many that nobody shows, too: else this log may be one of them itself.
  const counting = shelf
    .counting(lineage)
    .filter(({ held }) => !beside.includes(held))
    .toSorted((a, b) => Number(b.held.log === first) - Number(a.held.log === first));
  const gathering = new Gathering();
  const taken = counting.filter((log) => gathering.takeAll(log));
  for (const [key, version] of lost) {
    const id = versionId(siteId, recordClass, key, version);
    gathering.take(key, { ...version, id }, versionCost(key, version));
  }
  const { records } = gathering;
  forgetDeletions(shelf, siteId, recordClass, records, new Set(taken.map(({ held }) => held.log)));
  const live = counting.filter((log) => log.takenUp.seq === 0 && !taken.includes(log)).length;
  return { records, word: wordOf(taken, current), live };
}

/** The records of one snapshot, as long as they fit it. */
class Gathering {
  readonly records = new Map<string, NamedVersion>();
  #costBytes = 0;

  /** All that a log says, or nothing. */
  takeAll({ held, takenUp }: CountingLog): boolean {
    const own = [...(held.document?.records ?? [])].filter(([, each]) => isBehind(each, takenUp));
    const cost = own.reduce((sum, [, version]) => sum + version.costBytes, 0);
    const fits =
      this.#costBytes + cost <= MAX_LIVE_BYTES &&
      this.records.size + own.length <= MAX_LIVE_RECORDS;
    if (held.document === undefined || !fits) return false;
    this.#costBytes += cost;
    for (const [key, version] of own) {
      const other = this.records.get(key);
      if (other === undefined || isNewer(version, other)) this.records.set(key, version);
    }
    return true;
  }

  /** One version, unless a newer one is there or it does not fit. */
  take(key: string, version: NamedVersion, cost: number): void {
    const other = this.records.get(key);
    const fits = this.#costBytes + cost <= MAX_LIVE_BYTES && this.records.size < MAX_LIVE_RECORDS;
    if (other === undefined ? !fits : !isNewer(version, other)) return;
    this.#costBytes += cost;
    this.records.set(key, version);
  }
}

/** Whoever has only the newest snapshot of a log has to know all that the log has taken up. */
function wordOf(
  taken: readonly CountingLog[],
  current: LogId | undefined,
): SnapshotContent["word"] {
  const retires = new Map<LogId, Retirement>();
  let floor = 0;
  const ever: { seq: number; from: number; past: number }[] = [];
  for (const { held, takenUp } of taken) {
    const word = held.snapshotBefore(held.seq)?.word;
    if (word === undefined) continue;
    floor = Math.max(floor, word.floor);
    for (const named of word.retires) {
      const other = retires.get(named.log);
      if (other === undefined || other.seq < named.seq) retires.set(named.log, named);
    }
    const isCurrent = held.log === current;
    const own = isCurrent ? { seq: 0, from: 0 } : { seq: held.seq, from: takenUp.seq };
    ever.push({ ...own, past: word.past });
  }
  for (const { held } of taken) {
    const { log, seq } = held;
    const started = held.snapshotBefore(seq)?.word.started;
    if (log === current || started === undefined) continue;
    retires.set(log, { log, seq, lamport: held.lamportAt(seq), started });
  }
  if (current !== undefined) retires.delete(current);
  return wordOver([...retires.values()], floor, entriesEver(ever), MAX_RETIREMENTS);
}

/** A deletion may go once nothing that it replaces stands in any other log. */
function forgetDeletions(
  shelf: Shelf,
  siteId: SiteId,
  recordClass: RecordClass,
  records: Map<string, NamedVersion>,
  taken: ReadonlySet<LogId>,
): void {
  const author = isSharedClass(recordClass) ? undefined : siteId;
  const deleted = new Set<string>();
  for (const [key, { value }] of records) if (value === undefined) deleted.add(key);
  const standing = shelf.standing(recordClass, deleted, author, siteId);
  for (const key of deleted) {
    if (standing.get(key)?.every(({ held }) => taken.has(held.log)) ?? true) records.delete(key);
  }
}
