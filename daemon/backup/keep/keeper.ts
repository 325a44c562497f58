/**
 * Looks after what is stored: keeps what a lock covers, deletes what may go, asks where a set has
 * shrunk too much.
 *
 * The rules stand in core (departures.ts, retention-lock.ts, shrinking.ts); here they are applied
 * to every data set from time to time. The sets of others are under the lock that their owner's
 * key has set. Own sets have three other sites to rest on: what own lists no longer name goes after
 * the trash alone. A set with a list that cannot be read is left alone, and so is one without any
 * list, unless it is plain that a run of this site's own never came to one.
 */
import type { Authority, Delegation } from "../../core/authority/authority.ts";
import type { Clock } from "../../core/clock.ts";
import { mayGo, trashedAtMs } from "../../core/authority/departures.ts";
import {
  DAY_MS,
  nextTerm,
  SHORTENING_MS,
  TRASH_MS,
  type LockTerm,
} from "../../core/backup/retention-lock.ts";
import { nextPeaks, shrunk } from "../../core/backup/shrinking.ts";
import type { Store, StoreChange } from "../../core/store.ts";
import type { Logger } from "../../observe/log.ts";
import type { OwnerId, SetId, ShardId, SiteId } from "../../../protocol/ids.ts";
import { RepeatedWork } from "../repeated-work.ts";
import type { KeptLists, KeptShards, KeptWords, SetGate, SetName } from "./ports.ts";
import { Releases } from "./releases.ts";
import {
  keyOf,
  nameIn,
  NEW_RECORD,
  readSetRecords,
  readStrays,
  setRecordChange,
  strayChange,
  type SetRecord,
} from "./set-record.ts";
import { stampOf, survey, type Survey } from "./survey.ts";

/** From one look at all sets to the next. */
const LOOK_MS = 6 * 60 * 60_000;
/** The start of a node has more urgent work. */
const FIRST_LOOK_MS = 5000;
/** How many shards are deleted before others may work on the set again. */
const AT_ONCE = 64;
/** Where no owner's word about the lock was ever seen. */
const UNKNOWN_LOCK_DAYS = 30;

export interface KeeperParts {
  readonly store: Store;
  readonly shards: KeptShards;
  readonly lists: KeptLists;
  readonly gates: SetGate;
  readonly words: KeptWords;
  readonly authority: () => Authority;
  /** This site. */
  readonly self: SiteId;
  readonly runningMs: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether the members know the set as one that this site has published. */
  readonly isPublished: (of: SetName) => boolean;
  /** Groups of an own set whose shards need not stay here: enough others keep them safe. */
  readonly spareGroups: (of: SetName) => Promise<ReadonlySet<number>>;
  /** So much of an owner's is on the disk no longer. */
  readonly onRemoved: (of: SetName, bytes: number) => void;
}

/** What is kept of one data set of another site, for a person. */
export interface KeptSet {
  readonly owner: OwnerId;
  readonly set: SetId;
  /** Its placement groups that are here. */
  readonly groups: number;
  /** How long a shard is kept after the last list that named it; null while that is unknown. */
  readonly lockDays: number | null;
  /** A shorter lock that the owner wants, and how long until it counts. */
  readonly pending: { readonly days: number; readonly inMs: number } | null;
  readonly heldBytes: number;
  /** No list names it any more, but its lock is not over. */
  readonly lockedBytes: number;
  /** Goes when it has lain there for fourteen days. */
  readonly trashBytes: number;
  readonly asked: { readonly fromBytes: number; readonly toBytes: number } | null;
  readonly isNeverAsked: boolean;
  /** Others hold so many of its groups in place of this site: they go after lock and trash. */
  readonly letGo: { readonly groups: number; readonly inMs: number } | null;
  /** Why nothing was concluded at the last look. */
  readonly trouble: string | null;
}

type Figures = Pick<KeptSet, "heldBytes" | "lockedBytes" | "trashBytes" | "trouble">;
const NO_FIGURES: Figures = { heldBytes: 0, lockedBytes: 0, trashBytes: 0, trouble: null };

export class Keeper {
  readonly #parts: KeeperParts;
  readonly #records: Map<string, SetRecord>;
  readonly #releases: Releases;
  readonly #figures = new Map<string, Figures>();
  readonly #looks: RepeatedWork;

  private constructor(parts: KeeperParts, records: Map<string, SetRecord>, releases: Releases) {
    this.#parts = parts;
    this.#releases = releases;
    this.#records = records;
    this.#looks = new RepeatedWork(parts.clock, () => this.look().then(() => LOOK_MS));
  }

  static async open(parts: KeeperParts): Promise<Keeper> {
    return new Keeper(parts, await readSetRecords(parts.store), await Releases.open(parts));
  }

  start(): void {
    this.#looks.within(FIRST_LOOK_MS);
  }

  stop(): Promise<void> {
    return this.#looks.stop();
  }

  /** Looks at every data set once. Never rejects: trouble with one set stands in the report. */
  async look(): Promise<void> {
    const { shards, lists, words } = this.#parts;
    try {
      for await (const of of shards.sets()) {
        if (this.#looks.isStopped) return;
        await this.#lookAt(of);
      }
      for (const of of words.toldLocks()) {
        if (lists.all(of.owner, of.set).length === 0) await words.tellLock(of, null);
      }
    } catch (error) {
      this.#parts.log.error("what is kept could not be looked at", { error: String(error) });
    }
  }

  /**
   * All that the newest lists of a set name is here now. Noted at once: whoever takes a box over
   * does not wait for the next look.
   */
  async noteHeld(of: SetName, bytes: number): Promise<void> {
    const figures = this.#figures.get(keyOf(of)) ?? NO_FIGURES;
    this.#figures.set(keyOf(of), { ...figures, heldBytes: bytes });
    const said = this.#saidOf(of, this.#signersOf(of));
    const begun = await this.#parts.gates.run(of, async () => {
      const record = this.#records.get(keyOf(of)) ?? NEW_RECORD;
      const nowMs = this.#parts.runningMs();
      const term = record.term ?? this.#firstTerm(of, said) ?? null;
      const lockDays = term?.days ?? UNKNOWN_LOCK_DAYS;
      const peaks = nextPeaks(record.peaks, bytes, lockDays, nowMs);
      await this.#keep(of, { ...record, term, peaks: [...peaks] });
      return record.term === null ? term : null;
    });
    if (begun !== null) await this.#tellLock(of, begun, said);
  }

  /** The sets of other sites that are kept here. */
  report(): readonly KeptSet[] {
    const nowMs = this.#parts.runningMs();
    return [...this.#records].flatMap(([key, record]) => {
      const of = nameIn(key);
      // All of it was let go.
      const groups = of === undefined ? 0 : this.#parts.lists.all(of.owner, of.set).length;
      if (of === undefined || groups === 0) return [];
      const { term, asked, isNeverAsked } = record;
      const pending = term?.pending ?? null;
      const leftMs = pending === null ? 0 : pending.sinceMs + SHORTENING_MS - nowMs;
      return {
        ...of,
        groups,
        lockDays: term?.days ?? null,
        pending: pending === null ? null : { days: pending.days, inMs: Math.max(0, leftMs) },
        ...(this.#figures.get(key) ?? NO_FIGURES),
        asked: asked === null ? null : { fromBytes: asked.fromBytes, toBytes: asked.toBytes },
        isNeverAsked,
        letGo: this.#releases.report(of, term?.days ?? UNKNOWN_LOCK_DAYS, nowMs),
      };
    });
  }

  /**
   * A person agrees that a set has shrunk: what left its lists may go, after lock and trash.
   *
   * @param always - Nobody is to be asked about this set any more.
   * @returns whether anything of the set is kept here.
   */
  async agree(of: SetName, always: boolean): Promise<boolean> {
    const isKnown = await this.#change(of, (record) => ({
      ...record,
      asked: null,
      peaks: [],
      agreedMs: this.#parts.runningMs(),
      isNeverAsked: always,
    }));
    if (isKnown) await this.#parts.words.tellAsked(of, null);
    return isKnown;
  }

  /** A person objects to the shorter lock that is pending; the longer one stays. */
  async object(of: SetName): Promise<boolean> {
    const said = this.#saidOf(of, this.#signersOf(of));
    const isKnown = await this.#change(of, (record) => ({
      ...record,
      objectedTo: said?.statement ?? null,
      term: record.term === null ? null : { ...record.term, pending: null },
    }));
    const term = this.#records.get(keyOf(of))?.term;
    if (isKnown && term) await this.#tellLock(of, term, said);
    return isKnown;
  }

  async #change(of: SetName, change: (record: SetRecord) => SetRecord): Promise<boolean> {
    return this.#parts.gates.run(of, async () => {
      const record = this.#records.get(keyOf(of));
      if (record === undefined) return false;
      await this.#keep(of, change(record));
      return true;
    });
  }

  async #keep(of: SetName, record: SetRecord, more: readonly StoreChange[] = []): Promise<void> {
    await this.#parts.store.write([setRecordChange(of, record), ...more], "durable");
    this.#records.set(keyOf(of), record);
  }

  async #lookAt(of: SetName): Promise<void> {
    const { lists, shards, self, log } = this.#parts;
    try {
      const seen = await survey(lists, shards, of);
      if (seen.signers.size === 0) await this.#collectUnlisted(of, seen);
      else if (seen.signers.has(self)) await this.#collectOwn(of, seen);
      else await this.#collectKept(of, seen);
    } catch (error) {
      const trouble = error instanceof Error ? error.message : String(error);
      this.#figures.set(keyOf(of), { ...(this.#figures.get(keyOf(of)) ?? NO_FIGURES), trouble });
      log.error("nothing is collected of a data set", { ...of, error: trouble });
    }
  }

  /** What a first run stored that never ended. Lists that were lost look alike: the members know. */
  async #collectUnlisted(of: SetName, seen: Survey): Promise<void> {
    const { authority, self, isPublished } = this.#parts;
    const isOwn = authority().delegationFor(of.owner, of.set, self) !== undefined;
    if (isOwn && isPublished(of)) return;
    // Of others' sets only what was let go, with all of their lists.
    const lockDays = this.#records.get(keyOf(of))?.term?.days ?? UNKNOWN_LOCK_DAYS;
    const due = isOwn
      ? await this.#dueStrays(of, seen, 0)
      : await this.#releases.dueStrays(of, seen.strays, lockDays);
    await this.#delete(of, seen, due);
  }

  /** What own lists no longer name has its lock at the holders. */
  async #collectOwn(of: SetName, seen: Survey): Promise<void> {
    const nowMs = this.#parts.runningMs();
    const due = [...seen.departed]
      .filter(([, departure]) => mayGo(departure, 0, 0, false, nowMs))
      .map(([shard]) => shard);
    const spare = await this.#spareShards(of);
    await this.#delete(of, seen, [...due, ...spare, ...(await this.#dueStrays(of, seen, 0))]);
    await this.#forget(of, seen, TRASH_MS);
  }

  /** What the newest own lists name, is here, and need not be. */
  async #spareShards(of: SetName): Promise<ShardId[]> {
    const { lists, shards, spareGroups } = this.#parts;
    const named: ShardId[] = [];
    for (const group of await spareGroups(of)) {
      const list = await lists.load(of.owner, of.set, group);
      for (const { shard } of list?.entries ?? []) {
        if ((await shards.sizeOf({ ...of, shard })) !== undefined) named.push(shard);
      }
    }
    return named;
  }

  async #collectKept(of: SetName, seen: Survey): Promise<void> {
    const record = await this.#judge(of, seen);
    const lockDays = record.term?.days ?? UNKNOWN_LOCK_DAYS;
    const nowMs = this.#parts.runningMs();
    const isHeld = record.asked !== null;
    const due: ShardId[] = [];
    let lockedBytes = 0;
    let trashBytes = 0;
    for (const [shard, departure] of seen.departed) {
      const atMs = trashedAtMs(departure, lockDays, record.agreedMs);
      const isJudged = atMs !== undefined && atMs <= record.judgedMs;
      if (isJudged && mayGo(departure, lockDays, record.agreedMs, isHeld, nowMs)) due.push(shard);
      if (isHeld || atMs === undefined || atMs > nowMs) lockedBytes += departure.sizeBytes;
      else trashBytes += departure.sizeBytes;
    }
    const { heldBytes } = seen;
    await this.#parts.words.tellAsked(of, record.asked);
    if (record.term !== null) {
      await this.#tellLock(of, record.term, this.#saidOf(of, seen.signers));
    }
    const figures = { heldBytes, lockedBytes, trashBytes, trouble: null };
    this.#figures.set(keyOf(of), figures);
    const goneBytes = await this.#delete(of, seen, due);
    this.#figures.set(keyOf(of), { ...figures, trashBytes: Math.max(0, trashBytes - goneBytes) });
    await this.#delete(of, seen, await this.#dueStrays(of, seen, lockDays));
    await this.#forget(of, seen, lockDays * DAY_MS + TRASH_MS);
    // What a person is asked about may be nowhere else.
    if (!isHeld) {
      await this.#releases.look(of, seen, lockDays, (bytes) => this.#lower(of, bytes));
    }
  }

  /** What went elsewhere has not shrunk. Inside the gate of the set. */
  async #lower(of: SetName, goneBytes: number): Promise<void> {
    const record = this.#records.get(keyOf(of));
    if (record === undefined) return;
    const peaks = record.peaks.map(({ atMs, bytes }) => {
      return { atMs, bytes: Math.max(0, bytes - goneBytes) };
    });
    await this.#keep(of, { ...record, peaks });
  }

  /** Brings what is remembered of a set up to now, durably, before anything is concluded from it. */
  #judge(of: SetName, seen: Survey): Promise<SetRecord> {
    const { signers, heldBytes } = seen;
    return this.#parts.gates.run(of, async () => {
      const nowMs = this.#parts.runningMs();
      const before = this.#records.get(keyOf(of)) ?? NEW_RECORD;
      const said = this.#saidOf(of, signers);
      const first = before.term ?? this.#firstTerm(of, said);
      const isShorter = said !== undefined && said.lockDays < (first?.days ?? 0);
      const isRefused =
        isShorter && (said.statement === before.objectedTo || this.#parts.words.isObjected(said));
      const isObjected = isRefused || (isShorter && this.#parts.authority().isSuspended(said.site));
      const term = nextTerm(first, said?.lockDays, isObjected, nowMs) ?? null;
      const lockDays = term?.days ?? UNKNOWN_LOCK_DAYS;
      const peaks = nextPeaks(before.peaks, heldBytes, lockDays, nowMs);
      // What a new list names may still be on its way: that is not shrinking.
      const isSettled = seen.isComplete || nowMs - seen.newestMs >= DAY_MS;
      // With the peaks as the last look left them: the time in between makes none too old.
      const found = isSettled ? shrunk(before.peaks, heldBytes, nowMs) : undefined;
      const asked = before.isNeverAsked ? null : (before.asked ?? found ?? null);
      const judgedMs = isSettled ? nowMs : before.judgedMs;
      if (asked !== null && before.asked === null) {
        this.#parts.log.warn("a data set has shrunk; nothing of it goes until a person agrees", {
          ...of,
          fromBytes: asked.fromBytes,
          toBytes: asked.toBytes,
        });
      }
      // An objection that was seen stands, even if its site or its signer is gone later.
      const objectedTo = isRefused ? said.statement : before.objectedTo;
      const next: SetRecord = { ...before, term, peaks: [...peaks], asked, judgedMs, objectedTo };
      await this.#keep(of, next);
      return next;
    });
  }

  /**
   * The lock of a set that is new here: what the owner's word says. While the members know that
   * word as a shorter one that is pending or objected to, the longest that the owner ever signed.
   */
  #firstTerm({ owner, set }: SetName, said: Delegation | undefined): LockTerm | undefined {
    if (said === undefined) return undefined;
    const { words, authority } = this.#parts;
    if (!words.isOpen(said)) return { days: said.lockDays, pending: null };
    const all = authority().delegations.filter((each) => {
      return each.owner === owner && each.site === said.site && (each.set ?? set) === set;
    });
    return { days: Math.max(...all.map(({ lockDays }) => lockDays)), pending: null };
  }

  /** What all members are told of the lock of a set here. */
  async #tellLock(of: SetName, term: LockTerm, said: Delegation | undefined): Promise<void> {
    const { words, runningMs, log } = this.#parts;
    const { days, pending } = term;
    const leftMs = pending === null ? 0 : pending.sinceMs + SHORTENING_MS - runningMs();
    const leftDays = Math.ceil(Math.max(0, leftMs) / DAY_MS);
    const shorter =
      pending === null || said === undefined
        ? null
        : { days: pending.days, statement: said.statement, leftDays };
    try {
      await words.tellLock(of, { days, pending: shorter });
    } catch (error) {
      // Such as on a full disk: what may go makes room.
      log.warn("nobody was told of the lock of a data set", { ...of, error: String(error) });
    }
  }

  /** The owner's word about a set: of several sites that signed for it, the longest lock. */
  #saidOf({ owner, set }: SetName, signers: ReadonlySet<SiteId>): Delegation | undefined {
    const authority = this.#parts.authority();
    return [...signers]
      .flatMap((site) => authority.delegationFor(owner, set, site) ?? [])
      .toSorted((a, b) => b.lockDays - a.lockDays)[0];
  }

  #signersOf({ owner, set }: SetName): ReadonlySet<SiteId> {
    return new Set(this.#parts.lists.all(owner, set).map(({ header }) => header.by));
  }

  /**
   * Shards that stand in no list: what a crash or a run that never ended left behind. Each is
   * noted when it is first seen, and goes when it is still in no list after lock and trash.
   */
  async #dueStrays(of: SetName, { strays }: Survey, lockDays: number): Promise<ShardId[]> {
    const nowMs = this.#parts.runningMs();
    const known = await readStrays(this.#parts.store, of);
    const still = new Set<string>(strays);
    const changes = [
      ...[...known.keys()]
        .filter((shard) => !still.has(shard))
        .map((shard) => strayChange(of, shard, undefined)),
      ...strays.filter((shard) => !known.has(shard)).map((shard) => strayChange(of, shard, nowMs)),
    ];
    if (changes.length > 0) await this.#parts.store.write(changes, "cached");
    return strays.filter((shard) => {
      const sinceMs = known.get(shard);
      return sinceMs !== undefined && nowMs - sinceMs >= lockDays * DAY_MS + TRASH_MS;
    });
  }

  /**
   * Deletes shards, unless a list of the set has been taken in since the look.
   *
   * @returns the bytes that this gave back.
   */
  async #delete(of: SetName, { stamp }: Survey, due: readonly ShardId[]): Promise<number> {
    let goneBytes = 0;
    const { gates, shards, lists, log, onRemoved } = this.#parts;
    for (let start = 0; start < due.length && !this.#looks.isStopped; start += AT_ONCE) {
      const isCurrent = await gates.run(of, async () => {
        if (stampOf(lists, of) !== stamp) return false;
        for (const shard of due.slice(start, start + AT_ONCE)) {
          const bytes = await shards.remove({ ...of, shard });
          goneBytes += bytes;
          onRemoved(of, bytes);
        }
        return true;
      });
      if (!isCurrent) return goneBytes;
    }
    if (due.length > 0)
      log.info("shards that no list names were deleted", { ...of, shards: due.length });
    return goneBytes;
  }

  /**
   * Forgets the oldest replaced lists: only from the oldest on, because each is made again from the
   * one after it, and only when nothing that they named last is here any more.
   */
  async #forget({ owner, set }: SetName, { past, departed }: Survey, afterMs: number) {
    const nowMs = this.#parts.runningMs();
    for (const [group, changes] of past) {
      const open = changes.findIndex(
        ({ atMs, left }) => nowMs - atMs < afterMs || left.some(({ shard }) => departed.has(shard)),
      );
      const old = open < 0 ? changes : changes.slice(0, open);
      if (old.length > 0) await this.#parts.lists.forget(owner, set, group, old);
    }
  }
}
