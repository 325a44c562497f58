/**
 * Makes this site's own entries.
 *
 * At its first entry after each start, a site opens a new log for a part, with a snapshot that
 * takes up the state of those before it. So nothing has to be remembered from the process before,
 * and a box that was put back to an older image cannot sign one place twice.
 */
import { MAX_LIVE_BYTES, MAX_LIVE_RECORDS } from "../../protocol/document-limits.ts";
import {
  logIdOf,
  MAX_PART,
  MAX_RETIREMENTS,
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
  type Retirement,
} from "../../protocol/envelope.ts";
import type { EnvelopeId, LogId, MeshId, SiteId, StatementId } from "../../protocol/ids.ts";
import { isSharedClass, type RecordClass } from "../../protocol/record-class.ts";
import { versionId, type RecordVersion } from "../../protocol/record-version.ts";
import type { SigningKey } from "../../protocol/signature.ts";
import type { Clock } from "../core/clock.ts";
import { versionCost, type StoredVersion } from "../core/log-document.ts";
import { entriesEver, latestFirst, wordOver, type SnapshotWord } from "../core/lineage.ts";
import { LogWriter } from "../core/log-writer.ts";
import type { HeldLog, LineageName } from "./held-log.ts";
import { isBehind, MAX_LIVE_LOGS, type Shelf } from "./shelf.ts";
import { StateError } from "./state-error.ts";

/** Beyond these a log gets a new snapshot before its next update; see protocol/document-limits. */
const SNAPSHOT_AFTER_UPDATES = 400;
const SNAPSHOT_AFTER_BYTES = 256 * 1024;
/** Records of one update: their payload stays well below 64 KiB. */
const MAX_BATCH_BYTES = 40 * 1024;
/** What parts are filled up to by new keys, so that records can still grow. */
const FILL_BYTES = MAX_LIVE_BYTES * 0.8;
const FILL_RECORDS = MAX_LIVE_RECORDS * 0.9;

type Change = readonly [key: string, version: RecordVersion];

/** An update has no say in its lineage. */
const NO_WORD: SnapshotWord = { started: 0, retires: [], floor: 0, past: 0 };

interface OpenLog {
  readonly class: RecordClass;
  readonly part: number;
  readonly log: LogId;
  readonly salt: Uint8Array;
  /** The Lamport number of its first entry. */
  readonly started: number;
  seq: number;
  head: EnvelopeId | null;
  snapshot: EnvelopeId | null;
  writer: LogWriter;
}

export interface OwnLogsSetup {
  readonly siteKey: SigningKey;
  readonly siteId: SiteId;
  readonly meshId: MeshId;
  readonly clock: Clock;
  readonly shelf: Shelf;
  /** The epoch that this site acts under. */
  readonly epoch: () => StatementId | MeshId;
}

/** What a snapshot holds beside what it takes up, and what it does not take up. */
interface Beside {
  readonly lost: readonly Change[];
  readonly beside: readonly HeldLog[];
  /** The log that it takes up before others, when not all fit. */
  readonly first: LogId | undefined;
}

/** New versions of one class; each key at most once. */
export interface ClassChanges {
  readonly class: RecordClass;
  readonly records: readonly Change[];
}

export class OwnLogs {
  readonly #setup: OwnLogsSetup;
  readonly #open = new Map<LineageName, OpenLog>();

  constructor(setup: OwnLogsSetup) {
    this.#setup = setup;
  }

  /**
   * Signs entries that set these versions. Whoever takes them has to put each on the shelf
   * before it asks for the next.
   *
   * @param changes - Their Lamport numbers ascend within a class.
   * @throws StateError E-STATE-FULL when no part has room, E-STATE-FORKED when so many boxes write
   *   a part with this key that nobody would show it; nothing is signed then.
   */
  *sign(changes: readonly ClassChanges[]): Generator<Envelope, void> {
    const plan = changes.flatMap(({ class: recordClass, records }) =>
      [...this.#distribute(recordClass, records)].flatMap(([part, batch]) =>
        [...slices(batch)].map((slice) => ({ recordClass, part, slice })),
      ),
    );
    for (const { recordClass, part } of plan) this.#checkShows(recordClass, part);
    for (const { recordClass, part, slice } of plan) {
      yield* this.#append(recordClass, part, slice);
    }
  }

  /** A write that is acknowledged has to show, on this box at least. */
  #checkShows(recordClass: RecordClass, part: number): void {
    const lineage = this.#lineage(recordClass, part);
    if (!this.#setup.shelf.isCrowded(lineage)) return;
    const last = this.#open.get(lineage);
    const lost = last === undefined ? [] : this.#lostOf(last);
    const more = { lost, beside: [], first: last?.log };
    const { live } = this.#gather(recordClass, part, undefined, more);
    if (live < MAX_LIVE_LOGS) return;
    const message = "So many boxes write with the key of this site that a write would not show.";
    const hint = "Stop all boxes but one that run as this site.";
    throw new StateError("E-STATE-FORKED", message, { hint, exit: 5 });
  }

  /** Which part takes which change: where the key stands, else the first with room. */
  #distribute(recordClass: RecordClass, changes: readonly Change[]): Map<number, Change[]> {
    const rooms = new Map<number, { records: number; bytes: number; keys: Map<string, number> }>();
    const room = (part: number) => {
      const known = rooms.get(part);
      if (known !== undefined) return known;
      const keys = new Map<string, number>();
      let bytes = 0;
      const name = this.#lineage(recordClass, part);
      for (const { key, version } of this.#setup.shelf.versionsOf(name, "counting")) {
        keys.set(key, Math.max(version.costBytes, keys.get(key) ?? 0));
        bytes += version.costBytes;
      }
      const fresh = { records: keys.size, bytes, keys };
      rooms.set(part, fresh);
      return fresh;
    };
    const parts = new Map<number, Change[]>();
    for (const change of changes) {
      const [key, version] = change;
      const cost = versionCost(key, version);
      const part = this.#partFor(key, cost, room);
      const chosen = room(part);
      const before = chosen.keys.get(key);
      chosen.bytes += cost - (before ?? 0);
      chosen.records += before === undefined ? 1 : 0;
      chosen.keys.set(key, cost);
      parts.set(part, [...(parts.get(part) ?? []), change]);
    }
    return parts;
  }

  #partFor(
    key: string,
    cost: number,
    room: (part: number) => { records: number; bytes: number; keys: Map<string, number> },
  ): number {
    let fresh: number | undefined;
    for (let part = 0; part <= MAX_PART; part++) {
      const { records, bytes, keys } = room(part);
      const before = keys.get(key);
      if (before !== undefined && bytes - before + cost <= MAX_LIVE_BYTES) return part;
      if (before === undefined && records < FILL_RECORDS && bytes + cost <= FILL_BYTES) {
        fresh ??= part;
      }
      // Parts are filled in order, so an empty one is the end of those in use.
      if (records === 0) break;
    }
    if (fresh !== undefined) return fresh;
    throw new StateError("E-STATE-FULL", "This site has no room for more records of this class.");
  }

  /** @param before - The Lamport number of a snapshot that is made before the changes. */
  *#append(
    recordClass: RecordClass,
    part: number,
    changes: readonly Change[],
    before: number = (changes[0]?.[1].lamport ?? 1) - 1,
  ): Generator<Envelope, void> {
    const lineage = this.#lineage(recordClass, part);
    const last = this.#open.get(lineage);
    let open = last !== undefined && this.#goesOn(last) ? last : undefined;
    if (open === undefined || this.#wantsSnapshot(open)) {
      if (open !== undefined && this.#laterThan(open).length > 0) open = undefined;
      const isNew = last !== undefined && open === undefined;
      const lost = isNew ? this.#lostOf(last) : [];
      const beside = isNew && this.#hasDouble(last) ? this.#laterThan(last) : [];
      open = yield* this.#snapshot(
        recordClass,
        part,
        open,
        { lost, beside, first: last?.log },
        before,
      );
      this.#open.set(lineage, open);
    }
    const lamport = changes.at(-1)?.[1].lamport;
    if (lamport === undefined) return;
    const { bytes, clockBefore, clockAfter } = open.writer.update(changes);
    const fields = { ...NO_WORD, prevSnap: null, clockBefore, clockAfter, lamport };
    yield this.#next(open, recordClass, part, { kind: "UPD", ...fields }, bytes);
  }

  /**
   * Parts whose open log others have taken up, ended or dropped since it was opened, so that records
   * in it do not show any more: another box with this key, or a box put back to an older image.
   * Where nothing is lost nothing is done: two boxes must not open logs by turns for ever.
   */
  displaced(): { readonly class: RecordClass; readonly part: number }[] {
    return [...this.#open.values()]
      .filter((open) => !this.#goesOn(open) && this.#lostOf(open).length > 0)
      .map(({ class: recordClass, part }) => ({ class: recordClass, part }));
  }

  /** Opens new logs for those, with everything that would be lost with the old ones. */
  *replaceDisplaced(lamport: number): Generator<Envelope, void> {
    for (const { class: recordClass, part } of this.displaced()) {
      yield* this.#append(recordClass, part, [], lamport);
    }
  }

  /**
   * Whether entries that are added to a log would show. When there are too many logs for that, a new
   * one takes up the others.
   */
  #goesOn(open: OpenLog): boolean {
    const { shelf } = this.#setup;
    const held = this.#heldAsLeft(open);
    return held !== undefined && shelf.counts(held) && !shelf.isCrowded(held.lineage);
  }

  /** The open log as it is on the shelf, when it may go on there and ends where this process left it. */
  #heldAsLeft({ log, seq, head }: OpenLog): HeldLog | undefined {
    const held = this.#setup.shelf.get(log);
    if (held === undefined || held.limit !== "open" || held.idAt(seq) !== head) return undefined;
    return held.storedSeq === seq ? held : undefined;
  }

  /**
   * Whether a box that runs beside this one has taken up the log of this process. The next one stays
   * beside that box's: so all nodes see two, and neither displaces the other.
   */
  #hasDouble(open: OpenLog): boolean {
    const { shelf } = this.#setup;
    const held = this.#heldAsLeft(open);
    return held !== undefined && !shelf.counts(held) && !shelf.isCrowded(held.lineage);
  }

  /** Other logs that count and that this one cannot take up, because they started later. */
  #laterThan({ class: recordClass, part, log, started }: OpenLog): readonly HeldLog[] {
    const counting = this.#setup.shelf.counting(this.#lineage(recordClass, part));
    return counting.flatMap(({ held }) => {
      const word = held.heldSnapshots().at(-1)?.word;
      const own = { log, word: { started } };
      return word !== undefined && latestFirst({ log: held.log, word }, own) < 0 ? [held] : [];
    });
  }

  /**
   * What of a log does not show any more. Of one that others have taken up that is only what this
   * process wrote: what they left out of the rest, they deleted.
   */
  #lostOf(open: OpenLog): readonly Change[] {
    const { shelf, siteId } = this.#setup;
    const { class: recordClass, part, writer, log } = open;
    const lineage = this.#lineage(recordClass, part);
    const held = shelf.get(log);
    const since = held !== undefined && shelf.counts(held) ? 0 : open.started;
    const standing = Map.groupBy(shelf.versionsOf(lineage, "counting"), ({ key }) => key);
    return [...writer.records()].filter(([key, version]) => {
      if (version.lamport <= since) return false;
      const id = versionId(siteId, recordClass, key, version);
      const others = standing.get(key) ?? [];
      if (
        others.some((each) => each.version.id === id || isNewer(each.version, { ...version, id }))
      )
        return false;
      const author = isSharedClass(recordClass) ? undefined : siteId;
      return (
        version.value !== undefined || shelf.standing(recordClass, key, author, siteId).length > 0
      );
    });
  }

  #wantsSnapshot(open: OpenLog): boolean {
    const document = this.#setup.shelf.get(open.log)?.document;
    if (document === undefined) return true;
    return (
      document.updates >= SNAPSHOT_AFTER_UPDATES || document.updateBytes >= SNAPSHOT_AFTER_BYTES
    );
  }

  /**
   * A snapshot in the log that is open, or as the first entry of a new one.
   *
   * @param more - Versions that no other log may hold, and logs that it leaves as they are.
   */
  *#snapshot(
    recordClass: RecordClass,
    part: number,
    before: OpenLog | undefined,
    more: Beside,
    lamport: number,
  ): Generator<Envelope, OpenLog> {
    const { clock, meshId, siteId } = this.#setup;
    const salt = before?.salt ?? clock.random(16);
    const log =
      before?.log ?? logIdOf({ mesh: meshId, class: recordClass, author: siteId, part, salt });
    const { records, word } = this.#gather(recordClass, part, before?.log, more);
    const seq = (before?.seq ?? 0) + 1;
    const writer = new LogWriter(log, seq, records);
    const open: OpenLog = {
      class: recordClass,
      part,
      log,
      salt,
      started: before?.started ?? lamport,
      seq: seq - 1,
      head: before?.head ?? null,
      snapshot: before?.snapshot ?? null,
      writer,
    };
    const { bytes, clockBefore, clockAfter } = writer.snapshot;
    const { started, snapshot: prevSnap } = open;
    const fields = { ...word, started, prevSnap, clockBefore, clockAfter, lamport };
    const envelope = this.#next(open, recordClass, part, { kind: "SNAP", ...fields }, bytes);
    open.snapshot = envelope.id;
    yield envelope;
    return open;
  }

  #next(
    open: OpenLog,
    recordClass: RecordClass,
    part: number,
    fields: SnapshotWord &
      Pick<EnvelopeHeader, "kind" | "prevSnap" | "clockBefore" | "clockAfter" | "lamport">,
    payload: Uint8Array,
  ): Envelope {
    const { meshId, siteId, siteKey, clock } = this.#setup;
    const header = {
      mesh: meshId,
      class: recordClass,
      author: siteId,
      part,
      salt: open.salt,
      seq: open.seq + 1,
      prev: open.head,
      authority: this.#setup.epoch(),
      wallMs: Math.max(0, Math.trunc(clock.wallMs())),
      ...fields,
      retires: [...fields.retires],
    };
    const envelope = signEnvelope(siteKey, header, payload);
    open.seq += 1;
    open.head = envelope.id;
    return envelope;
  }

  /** The state that a snapshot starts with, and what it says of the logs it takes up by that. */
  #gather(
    recordClass: RecordClass,
    part: number,
    current: LogId | undefined,
    { lost, beside, first }: Beside,
  ): {
    records: Map<string, Known>;
    word: Pick<SnapshotWord, "retires" | "floor" | "past">;
    /** Logs that stay live beside it. */
    live: number;
  } {
    const { shelf, siteId } = this.#setup;
    const lineage = this.#lineage(recordClass, part);
    // Those of too many that nobody shows, too: else this log may be one of them itself.
    const counting = shelf
      .counting(lineage)
      .filter(({ held }) => !beside.includes(held))
      .toSorted((a, b) => Number(b.held.log === first) - Number(a.held.log === first));
    const records = new Map<string, StoredVersion>();
    const taken: { held: HeldLog; from: number }[] = [];
    let costBytes = 0;
    for (const { held, takenUp } of counting) {
      const own = [...(held.document?.records ?? [])].filter(([, each]) => isBehind(each, takenUp));
      const cost = own.reduce((sum, [, version]) => sum + version.costBytes, 0);
      const fits =
        costBytes + cost <= MAX_LIVE_BYTES && records.size + own.length <= MAX_LIVE_RECORDS;
      if (held.document === undefined || !fits) continue;
      costBytes += cost;
      for (const [key, version] of own) {
        const other = records.get(key);
        if (other === undefined || isNewer(version, other)) records.set(key, version);
      }
      taken.push({ held, from: takenUp.seq });
    }
    const all = new Map<string, Known>(records);
    for (const [key, version] of lost) {
      const id = versionId(siteId, recordClass, key, version);
      const other = all.get(key);
      const cost = versionCost(key, version);
      const fits = costBytes + cost <= MAX_LIVE_BYTES && all.size < MAX_LIVE_RECORDS;
      if (other === undefined ? !fits : !isNewer({ ...version, id }, other)) continue;
      costBytes += cost;
      all.set(key, { ...version, id });
    }
    this.#forgetDeletions(recordClass, all, new Set(taken.map(({ held }) => held.log)));
    const takenLogs = new Set(taken.map(({ held }) => held));
    const live = counting.filter(({ held, takenUp }) => takenUp.seq === 0 && !takenLogs.has(held));
    return { records: all, word: this.#wordOver(taken, current), live: live.length };
  }

  /** Whoever has only the newest snapshot of a log has to know all that the log has taken up. */
  #wordOver(
    taken: readonly { readonly held: HeldLog; readonly from: number }[],
    current: LogId | undefined,
  ): Pick<SnapshotWord, "retires" | "floor" | "past"> {
    const retires = new Map<LogId, Retirement>();
    let floor = 0;
    const ever: { seq: number; from: number; past: number }[] = [];
    for (const { held, from } of taken) {
      const word = held.snapshotBefore(held.seq)?.word;
      if (word === undefined) continue;
      floor = Math.max(floor, word.floor);
      for (const named of word.retires) {
        const other = retires.get(named.log);
        if (other === undefined || other.seq < named.seq) retires.set(named.log, named);
      }
      const isCurrent = held.log === current;
      ever.push({ seq: isCurrent ? 0 : held.seq, from: isCurrent ? 0 : from, past: word.past });
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
  #forgetDeletions(
    recordClass: RecordClass,
    records: Map<string, RecordVersion>,
    taken: ReadonlySet<LogId>,
  ): void {
    const { shelf, siteId } = this.#setup;
    const author = isSharedClass(recordClass) ? undefined : siteId;
    for (const [key, version] of records) {
      if (version.value !== undefined) continue;
      const standing = shelf.standing(recordClass, key, author, siteId);
      if (standing.every(({ held }) => taken.has(held.log))) records.delete(key);
    }
  }

  #lineage(recordClass: RecordClass, part: number): LineageName {
    return `${recordClass}/${this.#setup.siteId}/${part}`;
  }
}

type Known = RecordVersion & Pick<StoredVersion, "id">;

function isNewer(a: Known, b: Known): boolean {
  if (a.supersedes.includes(b.id)) return true;
  if (b.supersedes.includes(a.id)) return false;
  return a.lamport > b.lamport || (a.lamport === b.lamport && a.id > b.id);
}

/** Cuts changes into pieces whose updates fit an envelope. */
function* slices(changes: readonly Change[]): Generator<readonly Change[]> {
  let slice: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    const cost = versionCost(change[0], change[1]);
    if (slice.length > 0 && bytes + cost > MAX_BATCH_BYTES) {
      yield slice;
      slice = [];
      bytes = 0;
    }
    slice.push(change);
    bytes += cost;
  }
  if (slice.length > 0) yield slice;
}
