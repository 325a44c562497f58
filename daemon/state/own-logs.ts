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
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
  type Retirement,
} from "../../protocol/envelope.ts";
import type { EnvelopeId, LogId, MeshId, SiteId } from "../../protocol/ids.ts";
import { isSharedClass, type RecordClass } from "../../protocol/record-class.ts";
import type { RecordVersion } from "../../protocol/record-version.ts";
import type { SigningKey } from "../../protocol/signature.ts";
import type { Clock } from "../core/clock.ts";
import { versionCost, type StoredVersion } from "../core/log-document.ts";
import { LogWriter } from "../core/log-writer.ts";
import type { Lineage } from "./held-log.ts";
import type { Shelf } from "./shelf.ts";
import { StateError } from "./state-error.ts";

/** Beyond these a log gets a new snapshot before its next update; see protocol/document-limits. */
const SNAPSHOT_AFTER_UPDATES = 400;
const SNAPSHOT_AFTER_BYTES = 256 * 1024;
/** Records of one update: their payload stays well below 64 KiB. */
const MAX_BATCH_BYTES = 40 * 1024;
/** What parts are filled up to by new keys, so that records can still grow. */
const FILL_BYTES = MAX_LIVE_BYTES * 0.8;
const FILL_RECORDS = MAX_LIVE_RECORDS * 0.9;
/** As many as one snapshot may name. */
const MAX_RETIREMENTS = 16;

type Change = readonly [key: string, version: RecordVersion];

interface OpenLog {
  readonly log: LogId;
  readonly salt: Uint8Array;
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
}

/** New versions of one class; each key at most once. */
export interface ClassChanges {
  readonly class: RecordClass;
  readonly records: readonly Change[];
}

export class OwnLogs {
  readonly #setup: OwnLogsSetup;
  readonly #open = new Map<Lineage, OpenLog>();

  constructor(setup: OwnLogsSetup) {
    this.#setup = setup;
  }

  /**
   * Signs entries that set these versions. Whoever takes them has to put each on the shelf
   * before it asks for the next.
   *
   * @param lamport - The number of the entries.
   * @throws StateError E-STATE-FULL when no part has room; nothing is signed then.
   */
  *sign(changes: readonly ClassChanges[], lamport: number): Generator<Envelope, void> {
    const plan = changes.flatMap(({ class: recordClass, records }) =>
      [...this.#distribute(recordClass, records)].flatMap(([part, batch]) =>
        [...slices(batch)].map((slice) => ({ recordClass, part, slice })),
      ),
    );
    for (const { recordClass, part, slice } of plan) {
      yield* this.#append(recordClass, part, slice, lamport);
    }
  }

  /** Which part takes which change: where the key stands, else the first with room. */
  #distribute(recordClass: RecordClass, changes: readonly Change[]): Map<number, Change[]> {
    const rooms = new Map<number, { records: number; bytes: number; keys: Map<string, number> }>();
    const room = (part: number) => {
      const known = rooms.get(part);
      if (known !== undefined) return known;
      const keys = new Map<string, number>();
      let bytes = 0;
      for (const { key, version } of this.#setup.shelf.versionsOf(
        this.#lineage(recordClass, part),
      )) {
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

  *#append(
    recordClass: RecordClass,
    part: number,
    changes: readonly Change[],
    lamport: number,
  ): Generator<Envelope, void> {
    const lineage = this.#lineage(recordClass, part);
    let open = this.#open.get(lineage);
    if (open === undefined || this.#wantsSnapshot(open)) {
      open = yield* this.#snapshot(recordClass, part, open, lamport);
      this.#open.set(lineage, open);
    }
    const { bytes, clockBefore, clockAfter } = open.writer.update(changes);
    const fields = { prevSnap: null, retires: [], clockBefore, clockAfter, lamport };
    yield this.#next(open, recordClass, part, { kind: "UPD", ...fields }, bytes);
  }

  #wantsSnapshot(open: OpenLog): boolean {
    const document = this.#setup.shelf.get(open.log)?.document;
    if (document === undefined) return true;
    return (
      document.updates >= SNAPSHOT_AFTER_UPDATES || document.updateBytes >= SNAPSHOT_AFTER_BYTES
    );
  }

  /** A snapshot in the log that is open, or as the first entry of a new one. */
  *#snapshot(
    recordClass: RecordClass,
    part: number,
    before: OpenLog | undefined,
    lamport: number,
  ): Generator<Envelope, OpenLog> {
    const { clock, meshId, siteId } = this.#setup;
    const salt = before?.salt ?? clock.random(16);
    const log =
      before?.log ?? logIdOf({ mesh: meshId, class: recordClass, author: siteId, part, salt });
    const { records, retires } = this.#gather(recordClass, part, before?.log);
    const seq = (before?.seq ?? 0) + 1;
    const writer = new LogWriter(log, seq, records);
    const open: OpenLog = {
      log,
      salt,
      seq: seq - 1,
      head: before?.head ?? null,
      snapshot: before?.snapshot ?? null,
      writer,
    };
    const { bytes, clockBefore, clockAfter } = writer.snapshot;
    const fields = { prevSnap: open.snapshot, retires, clockBefore, clockAfter, lamport };
    const envelope = this.#next(open, recordClass, part, { kind: "SNAP", ...fields }, bytes);
    open.snapshot = envelope.id;
    yield envelope;
    return open;
  }

  #next(
    open: OpenLog,
    recordClass: RecordClass,
    part: number,
    fields: Pick<
      EnvelopeHeader,
      "kind" | "prevSnap" | "retires" | "clockBefore" | "clockAfter" | "lamport"
    >,
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
      authority: meshId,
      wallMs: Math.max(0, Math.trunc(clock.wallMs())),
      ...fields,
    };
    const envelope = signEnvelope(siteKey, header, payload);
    open.seq += 1;
    open.head = envelope.id;
    return envelope;
  }

  /** The state that a snapshot starts with, and the logs that it takes up by that. */
  #gather(
    recordClass: RecordClass,
    part: number,
    current: LogId | undefined,
  ): { records: Map<string, StoredVersion>; retires: Retirement[] } {
    const { shelf } = this.#setup;
    const lineage = this.#lineage(recordClass, part);
    const { live, tails } = shelf.counting(lineage);
    const records = new Map<string, StoredVersion>();
    const retires: Retirement[] = [];
    const ordered = [...live, ...tails].toSorted(
      (a, b) => Number(b.log === current) - Number(a.log === current),
    );
    let costBytes = 0;
    const versions = Map.groupBy(shelf.versionsOf(lineage), ({ held }) => held);
    for (const held of ordered) {
      const own = versions.get(held) ?? [];
      const cost = own.reduce((sum, { version }) => sum + version.costBytes, 0);
      const head = held.head;
      const fits =
        costBytes + cost <= MAX_LIVE_BYTES && records.size + own.length <= MAX_LIVE_RECORDS;
      if (head === undefined || !fits || retires.length >= MAX_RETIREMENTS) continue;
      costBytes += cost;
      for (const { key, version } of own) {
        const other = records.get(key);
        if (other === undefined || isNewer(version, other)) records.set(key, version);
      }
      if (held.log !== current) retires.push({ log: held.log, seq: held.seq, head });
    }
    this.#forgetDeletions(recordClass, records, new Set(ordered.map(({ log }) => log)));
    return { records, retires: this.#withEarlier(retires, current) };
  }

  /** Whoever has only the newest snapshot of a log has to know all that the log has taken up. */
  #withEarlier(retires: readonly Retirement[], current: LogId | undefined): Retirement[] {
    const held = current === undefined ? undefined : this.#setup.shelf.get(current);
    const all = new Map(retires.map((each) => [each.log, each]));
    for (const earlier of held?.retirements().toReversed() ?? []) {
      if (!all.has(earlier.log)) all.set(earlier.log, earlier);
    }
    return [...all.values()].slice(0, MAX_RETIREMENTS);
  }

  /** A deletion may go once nothing that it replaces stands in any other log. */
  #forgetDeletions(
    recordClass: RecordClass,
    records: Map<string, StoredVersion>,
    taken: ReadonlySet<LogId>,
  ): void {
    const { shelf, siteId } = this.#setup;
    const author = isSharedClass(recordClass) ? undefined : siteId;
    for (const [key, version] of records) {
      if (version.value !== undefined) continue;
      const standing = shelf.standing(recordClass, key, author);
      if (standing.every(({ held }) => taken.has(held.log))) records.delete(key);
    }
  }

  #lineage(recordClass: RecordClass, part: number): Lineage {
    return `${recordClass}/${this.#setup.siteId}/${part}`;
  }
}

function isNewer(a: StoredVersion, b: StoredVersion): boolean {
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
