/**
 * All logs that a node holds: which of them count, and what they say.
 *
 * Answers only from what was put on it; it reads and writes no store. A lineage is judged twice:
 * as it counts, which is what replication compares, and as it is shown, which differs while
 * the author is suspended.
 */
import { judgeLineage, type LogEnd, type TakenUp } from "../core/logs/lineage.ts";
import type { Candidate } from "../core/logs/merge.ts";
import type { LogDocument, StoredVersion } from "../core/logs/log-document.ts";
import type { LogId, SiteId } from "../../protocol/ids.ts";
import type { ClassName } from "../../protocol/logs/record-class.ts";
import type { HeldLog, LineageName } from "./held-log.ts";

/** Of more logs of one lineage that nothing has taken up, those with the lowest ids count. */
export const MAX_LIVE_LOGS = 4;
/** Live logs of one lineage that are kept at all, those with the lowest ids. */
export const MAX_KEPT_LOGS = 16;
/** Of more taken-up logs that went on, those with the lowest ids count. */
const MAX_TAILS = 16;

/** By what a lineage is judged: all that counts, or what people see of it. */
export type Sight = "counting" | "shown";

/** A log that says something of its own. */
export interface CountingLog {
  readonly held: HeldLog;
  /** What others have taken up of it. */
  readonly takenUp: TakenUp;
}

export interface StandingVersion {
  readonly held: HeldLog;
  readonly version: StoredVersion;
}

interface Judged {
  /** Up to where each log of the lineage is taken up. */
  readonly takenUp: ReadonlyMap<LogId, TakenUp>;
  /** Sorted by id. */
  readonly counting: readonly CountingLog[];
  /** Those of them whose records count. */
  readonly speaking: readonly CountingLog[];
}

export class Shelf {
  readonly #logs = new Map<LogId, HeldLog>();
  readonly #lineages = new Map<LineageName, Map<LogId, HeldLog>>();
  /** Their names by class, and by class and author: asked for with each record. */
  readonly #names = new Map<ClassName, Map<SiteId | undefined, LineageName[]>>();
  readonly #judged: Record<Sight, Map<LineageName, Judged>> = {
    counting: new Map(),
    shown: new Map(),
  };

  get(log: LogId): HeldLog | undefined {
    return this.#logs.get(log);
  }

  all(): Iterable<HeldLog> {
    return this.#logs.values();
  }

  add(held: HeldLog): void {
    this.#logs.set(held.log, held);
    const row = this.#lineages.get(held.lineage) ?? this.#begin(held);
    row.set(held.log, held);
    this.judgeAnew(held.lineage);
  }

  #begin({ lineage, class: name, author }: HeldLog): Map<LogId, HeldLog> {
    const names = this.#names.get(name) ?? new Map<SiteId | undefined, LineageName[]>();
    this.#names.set(name, names);
    for (const whose of [undefined, author]) {
      const known = names.get(whose);
      if (known === undefined) names.set(whose, [lineage]);
      else known.push(lineage);
    }
    const row = new Map<LogId, HeldLog>();
    this.#lineages.set(lineage, row);
    return row;
  }

  remove(held: HeldLog): void {
    this.#logs.delete(held.log);
    this.#lineages.get(held.lineage)?.delete(held.log);
    this.judgeAnew(held.lineage);
  }

  lineage(name: LineageName): readonly HeldLog[] {
    return [...(this.#lineages.get(name)?.values() ?? [])];
  }

  lineages(): Iterable<LineageName> {
    return this.#lineages.keys();
  }

  /** To be called whenever a log of the lineage ends elsewhere, except by {@link noteUpdate}. */
  judgeAnew(name: LineageName): void {
    this.#judged.counting.delete(name);
    this.#judged.shown.delete(name);
  }

  /** An update of a log that counts anyway changes nothing in its lineage. */
  noteUpdate(held: HeldLog): void {
    if (!this.counts(held) || held.frozenSeq !== undefined) this.judgeAnew(held.lineage);
  }

  /** Up to where others have taken up a log. */
  takenUp(held: Pick<HeldLog, "log" | "lineage">, sight: Sight = "counting"): TakenUp {
    return this.#judge(held.lineage, sight).takenUp.get(held.log) ?? { seq: 0, lamport: 0 };
  }

  /** Whether a log says anything that no other log has taken up. */
  counts(held: HeldLog, sight: Sight = "counting"): boolean {
    return this.#judge(held.lineage, sight).counting.some(({ held: other }) => other === held);
  }

  /** The logs of a lineage that others have not taken up whole. */
  counting(name: LineageName, sight: Sight = "counting"): readonly CountingLog[] {
    return this.#judge(name, sight).counting;
  }

  /** Those whose records count. */
  speaking(name: LineageName, sight: Sight): readonly CountingLog[] {
    return this.#judge(name, sight).speaking;
  }

  /** Whether a lineage has logs of which the records do not count, because there are too many. */
  isCrowded(name: LineageName): boolean {
    const { counting, speaking } = this.#judge(name, "counting");
    return speaking.length < counting.length;
  }

  /** The versions that one lineage contributes. */
  *versionsOf(
    name: LineageName,
    sight: Sight,
  ): Generator<{ held: HeldLog; key: string; version: StoredVersion }> {
    for (const { held, takenUp } of this.speaking(name, sight)) {
      for (const [key, version] of documentOf(held, sight)?.records ?? []) {
        if (isBehind(version, takenUp)) yield { held, key, version };
      }
    }
  }

  /** Every version of a class that is shown, whatever the rights. */
  candidates(recordClass: ClassName): Candidate[] {
    const all: Candidate[] = [];
    for (const name of this.lineagesOf(recordClass)) {
      for (const { held, key, version } of this.versionsOf(name, "shown")) {
        all.push(candidateOf(held, key, version));
      }
    }
    return all;
  }

  /** The same of some records: under these keys, of all authors or of one. */
  candidatesOf(
    recordClass: ClassName,
    keys: ReadonlySet<string>,
    author: SiteId | undefined,
  ): ReadonlyMap<string, readonly Candidate[]> {
    const found = new Map<string, Candidate[]>();
    for (const name of this.lineagesOf(recordClass, author)) {
      for (const { held, key, version } of this.#versionsAt(name, "shown", keys)) {
        push(found, key, candidateOf(held, key, version));
      }
    }
    return found;
  }

  /** The versions under these keys that one lineage contributes. */
  *#versionsAt(
    name: LineageName,
    sight: Sight,
    keys: ReadonlySet<string>,
  ): Generator<{ held: HeldLog; key: string; version: StoredVersion }> {
    for (const { held, takenUp } of this.speaking(name, sight)) {
      const records = documentOf(held, sight)?.records;
      if (records === undefined) continue;
      // A site has hundreds of logs of a large zone, and a change of it thousands of keys.
      const [fewer, more] = keys.size < records.size ? [keys, records] : [records, keys];
      for (const key of fewer.keys()) {
        const version = more.has(key) ? records.get(key) : undefined;
        if (version !== undefined && isBehind(version, takenUp)) yield { held, key, version };
      }
    }
  }

  /** All lineages of an author. */
  lineagesBy(author: SiteId): LineageName[] {
    return [...this.#lineages.keys()].filter((name) => name.includes(`/${author}/`));
  }

  lineagesOf(recordClass: ClassName, author?: SiteId): readonly LineageName[] {
    return this.#names.get(recordClass)?.get(author) ?? [];
  }

  /**
   * The versions under these keys in all speaking logs of a class, or of one author.
   *
   * @param self - What this site wrote stands also while others do not show it.
   */
  standing(
    recordClass: ClassName,
    keys: ReadonlySet<string>,
    author: SiteId | undefined,
    self: SiteId,
  ): ReadonlyMap<string, readonly StandingVersion[]> {
    const found = new Map<string, StandingVersion[]>();
    for (const name of this.lineagesOf(recordClass, author)) {
      const sight = name.includes(`/${self}/`) ? "counting" : "shown";
      for (const { held, key, version } of this.#versionsAt(name, sight, keys)) {
        push(found, key, { held, version });
      }
    }
    return found;
  }

  /** Sites of which two logs of one part stand side by side: a cloned or restored box. */
  doubled(): Set<SiteId> {
    const sites = new Set<SiteId>();
    for (const [name, row] of this.#lineages) {
      const [first] = row.values();
      if (first !== undefined && this.counting(name).length > 1) sites.add(first.author);
    }
    return sites;
  }

  #judge(name: LineageName, sight: Sight): Judged {
    const known = this.#judged[sight].get(name);
    if (known !== undefined) return known;
    const judged = judgeLogs(this.lineage(name), (held) => seqOf(held, sight));
    this.#judged[sight].set(name, judged);
    return judged;
  }
}

/** What the logs of a lineage come to when each ends at a given place; 0: none of it counts. */
export function judgeLogs(row: readonly HeldLog[], seqOfLog: (held: HeldLog) => number): Judged {
  const takenUp = judgeHeard(row.flatMap((held) => endOf(held, seqOfLog(held)) ?? []));
  const counting = row
    .filter((held) => seqOfLog(held) > (takenUp.get(held.log)?.seq ?? Infinity))
    .toSorted((a, b) => (a.log < b.log ? -1 : 1))
    .map((held) => ({ held, takenUp: takenUp.get(held.log) ?? { seq: 0, lamport: 0 } }));
  const live = counting.filter((each) => each.takenUp.seq === 0).slice(0, MAX_LIVE_LOGS);
  const tails = counting.filter((each) => each.takenUp.seq > 0).slice(0, MAX_TAILS);
  return { takenUp, counting, speaking: [...live, ...tails] };
}

/** Up to where each log is taken up; those that have no say, because too many are live, are left out. */
export function judgeHeard(all: readonly LogEnd[]): ReadonlyMap<LogId, TakenUp> {
  let ends = all;
  let takenUp = judgeLineage(ends);
  for (;;) {
    const crowded = highestBeyondRoom(ends, takenUp);
    if (crowded === undefined) return takenUp;
    ends = ends.filter(({ log }) => log !== crowded);
    takenUp = judgeLineage(ends);
  }
}

/**
 * The live log that has to make room for others. It has no say, as on nodes that never took it in: a
 * log that went out of the way later can leave more of them live than are taken in at a time.
 */
function highestBeyondRoom(
  ends: readonly LogEnd[],
  takenUp: ReadonlyMap<LogId, TakenUp>,
): LogId | undefined {
  const live = ends.filter(({ log }) => takenUp.get(log)?.seq === 0).map(({ log }) => log);
  return live.length > MAX_KEPT_LOGS ? live.toSorted().at(-1) : undefined;
}

/** How a log ends for its lineage; undefined when none of it counts. */
export function endOf(held: HeldLog, seq: number = held.seq): LogEnd | undefined {
  const word = held.snapshotBefore(seq)?.word;
  return word === undefined ? undefined : { log: held.log, seq, word };
}

export function candidateOf(held: HeldLog, key: string, version: StoredVersion): Candidate {
  const { id, lamport, supersedes, value, seq } = version;
  return { id, lamport, supersedes, value, key, author: held.author, log: held.log, seq };
}

/** A snapshot in a tail carries over what was taken up: those versions stand elsewhere, or went. */
export function isBehind(version: StoredVersion, takenUp: TakenUp): boolean {
  return version.seq > takenUp.seq && version.lamport > takenUp.lamport;
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

function seqOf(held: HeldLog, sight: Sight): number {
  return sight === "counting" ? held.seq : held.shownSeq;
}

function documentOf(held: HeldLog, sight: Sight): LogDocument | undefined {
  return sight === "counting" ? held.document : held.shownDocument;
}
