/**
 * What people have to see, computed from all statements and entries: a second, slow and simple
 * answer to hold the daemon's against.
 */
import type { Authority } from "../../../daemon/core/authority/authority.ts";
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import type { LogId } from "../../../protocol/ids.ts";
import { isSharedClass, type RecordClass } from "../../../protocol/logs/record-class.ts";
import { versionId } from "../../../protocol/logs/record-version.ts";
import { referenceLogs, type ReferenceLog, type ReferenceVersion } from "./reference-logs.ts";

/** Of more logs side by side, and of more tails, those with the lowest ids count. */
const LIVE = 4;
const TAILS = 16;
/** Of more live logs than this the others have no say either, as if nobody had ever written them. */
const HEARD = 16;

interface Taken {
  readonly seq: number;
  readonly lamport: number;
}

interface Candidate extends ReferenceVersion {
  readonly author: ReferenceLog["author"];
  readonly id: string;
}

/** One line for each record that is shown: key, author, id and the ids of its conflicts. */
export function referenceView(
  authority: Authority,
  envelopes: readonly Envelope[],
  recordClass: RecordClass,
): string[] {
  const candidates: Candidate[] = [];
  const logs = referenceLogs(authority, envelopes).filter((each) => each.class === recordClass);
  for (const each of versionsOf(logs, recordClass)) {
    if (authority.mayWrite(each.author, recordClass, each.key)) candidates.push(each);
  }
  for (const { site, class: ended, selector, heads } of authority.endedGrants) {
    if (ended !== recordClass) continue;
    const until = referenceLogs(authority, envelopes, (log: LogId) => heads.get(log) ?? "none");
    const own = until.filter((log) => log.author === site && log.class === recordClass);
    for (const each of versionsOf(own, recordClass)) {
      const isMeant = selector === null || each.key.split("/", 1)[0] === selector;
      if (isMeant && !hasGrant(authority, each, recordClass)) candidates.push(each);
    }
  }
  const isShared = isSharedClass(recordClass);
  const groups = Map.groupBy(candidates, ({ key, author }) => (isShared ? key : key + author));
  return [...groups.values()].flatMap((group) => merge(group)).toSorted();
}

function hasGrant(authority: Authority, { author, key }: Candidate, of: RecordClass): boolean {
  return authority.grants.some(
    ({ site, class: recordClass, selector }) =>
      site === author &&
      recordClass === of &&
      (selector === null || selector === key.split("/", 1)[0]),
  );
}

/** What is not replaced; the highest of it is shown, unless it deletes. */
function merge(group: readonly Candidate[]): string[] {
  const replaced = new Set<string>(group.flatMap(({ supersedes }) => supersedes));
  const left = new Map(group.filter(({ id }) => !replaced.has(id)).map((each) => [each.id, each]));
  const [shown, ...others] = [...left.values()].toSorted(
    (a, b) => b.lamport - a.lamport || (rank(a) < rank(b) ? 1 : -1),
  );
  if (shown?.value === undefined) return [];
  return [line(shown.key, shown.author, [shown.id, ...others.map(({ id }) => id)])];
}

function rank({ author, id }: Candidate): string {
  return author + id;
}

/** How a record and its conflicts are written down, to be compared. */
export function line(key: string, author: string, ids: readonly string[]): string {
  return `${key} of ${author}: ${ids.join(" ")}`;
}

function* versionsOf(logs: readonly ReferenceLog[], of: RecordClass): Generator<Candidate> {
  for (const all of Map.groupBy(logs, ({ author, part }) => `${author} ${part}`).values()) {
    const lineage = heard(all);
    const taken = takenUp(lineage);
    const counting = lineage
      .filter(({ log, seq }) => seq > (taken.get(log)?.seq ?? 0))
      .toSorted((a, b) => (a.log < b.log ? -1 : 1));
    const isLive = ({ log }: ReferenceLog): boolean => (taken.get(log)?.seq ?? 0) === 0;
    const speaking = [
      ...counting.filter(isLive).slice(0, LIVE),
      ...counting.filter((log) => !isLive(log)).slice(0, TAILS),
    ];
    for (const { log, author, versions } of speaking) {
      const after = taken.get(log) ?? { seq: 0, lamport: 0 };
      for (const version of versions) {
        if (version.seq <= after.seq || version.lamport <= after.lamport) continue;
        yield { ...version, author, id: versionId(author, of, version.key, version) };
      }
    }
  }
}

/** A lineage without its live logs that are too many; each that goes may set free what it took up. */
function heard(lineage: readonly ReferenceLog[]): readonly ReferenceLog[] {
  const taken = takenUp(lineage);
  const live = lineage.filter(({ log }) => (taken.get(log)?.seq ?? 0) === 0);
  if (live.length <= HEARD) return lineage;
  const highest = live.reduce((high, log) => (log.log > high.log ? log : high));
  return heard(lineage.filter((log) => log !== highest));
}

/** Up to where the later logs of a lineage have taken up each earlier one. */
function takenUp(lineage: readonly ReferenceLog[]): Map<LogId, Taken> {
  const taken = new Map<LogId, Taken>();
  const latestFirst = lineage.toSorted(
    (a, b) => b.snapshot.header.started - a.snapshot.header.started || (a.log > b.log ? -1 : 1),
  );
  for (const [index, log] of latestFirst.entries()) {
    const { started } = log.snapshot.header;
    for (const later of latestFirst.slice(0, index)) {
      const before = taken.get(later.log)?.seq ?? 0;
      if (later.seq <= before) continue;
      const { floor, retires } = later.snapshot.header;
      const named = retires.find((each) => each.log === log.log);
      const reached: Taken =
        started < floor ? { seq: Infinity, lamport: Infinity } : (named ?? { seq: 0, lamport: 0 });
      if (reached.seq > (taken.get(log.log)?.seq ?? 0)) taken.set(log.log, reached);
    }
  }
  // An older image that began anew only repeats what another log has taken up further.
  const live = lineage.filter(({ log }) => (taken.get(log)?.seq ?? 0) === 0);
  for (const log of live) {
    if (!live.some((other) => other !== log && knowsMore(other, log))) continue;
    taken.set(log.log, { seq: 0, lamport: log.snapshot.header.started });
  }
  return taken;
}

function knowsMore(more: ReferenceLog, less: ReferenceLog): boolean {
  const [ours, theirs] = [more.snapshot.header, less.snapshot.header];
  if (theirs.floor > ours.floor || theirs.retires.length === 0) return false;
  const further = theirs.retires.map(({ log, seq, started }) => {
    if (started < ours.floor) return Infinity;
    return (ours.retires.find((named) => named.log === log)?.seq ?? 0) - seq;
  });
  return further.every((by) => by >= 0) && further.some((by) => by > 0);
}
