/**
 * The asking side of a round: this node takes over what a peer holds and it lacks.
 *
 * Statements first, to a fixpoint, because they say who may write; then of each class only the
 * buckets that differ, own logs before all others. Equal digests say more than that there is
 * nothing to do: the peer holds our own entries durably.
 */
import { readEnvelope } from "../../../protocol/envelope.ts";
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import { CLASS_GROUPS, type ClassGroup } from "../../../protocol/record-class.ts";
import type { SyncMessageOf } from "../../../protocol/sync-message.ts";
import type { Clock } from "../../core/clock.ts";
import type { LogPosition, Reception, Replica } from "../replica.ts";
import type { Conversation } from "./conversation.ts";
import { compareHeaders, takeSnapshotChain, type HeaderTalk } from "./header-walk.ts";
import { SyncError } from "./sync-error.ts";

/** A peer that is still telling after so long is left for another; the next round goes on. */
const ROUND_LIMIT_MS = 10 * 60_000;
/** Passes over the statements, or over the classes, before the next round has to go on. */
const MAX_PASSES = 8;
/** More of either is no mesh that the limits of the state allow. */
const MAX_STATEMENTS = 200_000;
const MAX_LOGS_OF_CLASS = 200_000;
/** Asked for at once. */
const STATEMENTS_AT_ONCE = 512;
const LOGS_AT_ONCE = 64;

export interface RoundOutcome {
  /** The peer held the same at the start, or does now. */
  readonly equal: boolean;
  /** New here, because of this round. */
  readonly statements: number;
  readonly envelopes: number;
  /** Of what came, this node refused so many. */
  readonly refused: number;
}

type Vector = SyncMessageOf<"vectors">["logs"][number];

interface Wanted extends Vector {
  /** The entry behind which they are wanted. */
  readonly after: number;
}

type Answer = "statement-ids" | "vectors" | "statements" | "envelopes" | "headers";

export class Round {
  readonly #talk: Conversation;
  readonly #replica: Replica;
  readonly #self: SiteId;
  readonly #clock: Clock;
  readonly #endMs: number;
  /** Logs that have another history there than here, with the last place to be compared. */
  readonly #parted = new Map<LogId, number>();
  readonly #headerTalk: HeaderTalk;
  #statements = 0;
  #envelopes = 0;
  #refused = 0;

  constructor(talk: Conversation, replica: Replica, self: SiteId, clock: Clock) {
    this.#talk = talk;
    this.#replica = replica;
    this.#self = self;
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + ROUND_LIMIT_MS;
    this.#headerTalk = {
      peer: talk.peer,
      ask: async (log, after, of) => {
        await talk.say({ v: 1, kind: "headers-wanted", log, after, of });
        const answer = await this.#hear("headers");
        await talk.payFor(answer.items);
        return answer;
      },
      countRefused: () => void this.#refused++,
    };
  }

  /** Goes on after both HELLOs were found different. */
  async run(): Promise<RoundOutcome> {
    const statementsEqual = await this.#takeStatements();
    const classesEqual = await this.#takeEnvelopes();
    await this.#talk.end();
    return {
      equal: statementsEqual && classesEqual,
      statements: this.#statements,
      envelopes: this.#envelopes,
      refused: this.#refused,
    };
  }

  async #takeStatements(): Promise<boolean> {
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      await this.#talk.say({ v: 1, kind: "statement-ids-wanted" });
      const theirs = await this.#list(
        "statement-ids",
        (m) => ({ ...m, list: m.ids }),
        MAX_STATEMENTS,
      );
      const ours = new Set(this.#replica.statementIds());
      const missing = theirs.filter((id) => !ours.has(id));
      if (missing.length === 0) return new Set(theirs).size === ours.size;
      const before = this.#statements;
      for (let at = 0; at < missing.length; at += STATEMENTS_AT_ONCE) {
        const ids = missing.slice(at, at + STATEMENTS_AT_ONCE);
        await this.#talk.say({ v: 1, kind: "statements-wanted", ids });
        await this.#items("statements", async (bytes) => {
          const reception = await this.#replica.receiveStatement(bytes, this.#talk.peer);
          if (this.#isNew(reception)) this.#statements++;
        });
      }
      if (this.#statements === before) break;
    }
    return false;
  }

  async #takeEnvelopes(): Promise<boolean> {
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      await this.#talk.say({ v: 1, kind: "digests-wanted" });
      const { classes } = await this.#talk.hear("digests");
      const before = this.#envelopes;
      let equal = true;
      for (const name of CLASS_GROUPS) {
        const theirs = classes[name];
        // A peer of an older version does not know the class: it has none of its logs.
        if (theirs === undefined) continue;
        const differing = this.#compare(name, theirs);
        if (differing.length === 0) continue;
        equal = false;
        await this.#takeBuckets(name, differing);
      }
      if (equal) return true;
      if (this.#envelopes === before) return false;
    }
    return false;
  }

  /** The buckets that differ. Those that do not confirm our own logs in them. */
  #compare(name: ClassGroup, theirs: readonly string[]): number[] {
    const ours = this.#replica.classDigest(name);
    const differing: number[] = [];
    for (const [bucket, digest] of ours.entries()) {
      if (digest !== theirs[bucket]) differing.push(bucket);
      else
        confirmOwn(this.#replica, this.#replica.vector(name, bucket), this.#self, this.#talk.peer);
    }
    return differing;
  }

  async #takeBuckets(name: ClassGroup, buckets: number[]): Promise<void> {
    await this.#talk.say({ v: 1, kind: "vectors-wanted", class: name, buckets });
    const theirs = await this.#list("vectors", (m) => ({ ...m, list: m.logs }), MAX_LOGS_OF_CLASS);
    const ours = this.#positions(name, buckets);
    const wanted: Wanted[] = [];
    for (const their of theirs) {
      const our = ours.get(their.log);
      if (our?.author === this.#self) this.#confirm(our, their);
      if (our?.seq === their.seq && our.head !== their.head) this.#parted.set(their.log, our.seq);
      const after = this.#replica.wantedAfter(their.log);
      if (after !== undefined && after < their.seq) wanted.push({ ...their, after });
    }
    // Our own first: what was lost here and lives on elsewhere is known before we write anew.
    wanted.sort((a, b) => Number(b.author === this.#self) - Number(a.author === this.#self));
    for (let at = 0; at < wanted.length; at += LOGS_AT_ONCE) {
      const logs = wanted.slice(at, at + LOGS_AT_ONCE);
      await this.#takeLogs(logs);
      await this.#acknowledge(name, buckets, logs);
    }
    await this.#comparePartedLogs();
  }

  async #takeLogs(logs: readonly Wanted[]): Promise<void> {
    for (const { log, after, fromSeq } of logs) {
      if (fromSeq <= after + 1) continue;
      if (!(await takeSnapshotChain(this.#headerTalk, this.#replica, log, after))) {
        this.#parted.set(log, after);
      }
    }
    const positions = logs.map(({ log, after }) => ({ log, after }));
    await this.#talk.say({ v: 1, kind: "envelopes-wanted", logs: positions });
    await this.#items("envelopes", async (bytes) => {
      const reception = await this.#replica.receiveEnvelope(bytes, this.#talk.peer);
      if (this.#isNew(reception)) this.#envelopes++;
      else if (typeof reception === "object" && reception.refused === "E-STATE-FORK") {
        const { log, header } = readEnvelope(bytes);
        this.#parted.set(log, header.seq);
      }
    });
  }

  /** Of logs that have another history there than here, the proof of that. */
  async #comparePartedLogs(): Promise<void> {
    const parted = [...this.#parted];
    this.#parted.clear();
    for (const [log, lastSeq] of parted) {
      if (await compareHeaders(this.#headerTalk, this.#replica, log, lastSeq)) this.#statements++;
    }
  }

  /** Tells the peer what of its logs is durable here now, which makes its entries confirmed. */
  async #acknowledge(
    name: ClassGroup,
    buckets: readonly number[],
    taken: readonly Vector[],
  ): Promise<void> {
    const ours = this.#positions(name, buckets);
    const logs = taken.flatMap(({ log }) => {
      const our = ours.get(log);
      return our === undefined ? [] : [{ log, seq: our.seq }];
    });
    if (logs.length > 0) await this.#talk.say({ v: 1, kind: "stored", logs });
  }

  #confirm(our: LogPosition, their: Vector): void {
    if (their.seq === our.seq && their.head !== our.head) return;
    this.#replica.noteConfirmed(our.log, Math.min(our.seq, their.seq), this.#talk.peer);
  }

  #positions(name: ClassGroup, buckets: readonly number[]): Map<LogId, LogPosition> {
    const all = buckets.flatMap((bucket) => [...this.#replica.vector(name, bucket)]);
    return new Map(all.map((position) => [position.log, position]));
  }

  #isNew(reception: Reception): boolean {
    if (typeof reception === "object") this.#refused++;
    return reception === "accepted" || reception === "parked";
  }

  async #list<Kind extends "statement-ids" | "vectors", Entry>(
    kind: Kind,
    page: (message: SyncMessageOf<Kind>) => { list: readonly Entry[]; more: boolean },
    limit: number,
  ): Promise<Entry[]> {
    const all: Entry[] = [];
    for (let goesOn = true; goesOn;) {
      const { list, more } = page(await this.#hear(kind));
      all.push(...list);
      if (all.length > limit) throw new SyncError("E-SYNC-SIZE", `More than ${limit} ${kind}.`);
      goesOn = more;
    }
    return all;
  }

  async #items(
    kind: "statements" | "envelopes",
    take: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    for (let more = true; more;) {
      const message = await this.#hear(kind);
      await this.#talk.payFor(message.items);
      // All at once and in order: the state syncs what comes together in one write.
      await Promise.all(message.items.map(take));
      more = message.more;
    }
  }

  #hear<Kind extends Answer>(kind: Kind): Promise<SyncMessageOf<Kind>> {
    if (this.#clock.monotonicMs() > this.#endMs) {
      throw new SyncError("E-SYNC-SIZE", `The round took over ${ROUND_LIMIT_MS / 60_000} minutes.`);
    }
    return this.#talk.hear(kind);
  }
}

/** Notes that a peer holds our own logs as far as we do. */
function confirmOwn(
  replica: Replica,
  positions: readonly LogPosition[],
  self: SiteId,
  peer: SiteId,
): void {
  for (const { author, log, seq } of positions) {
    if (author === self) replica.noteConfirmed(log, seq, peer);
  }
}

/** Notes that a peer whose state digest equals ours at this moment holds all our own logs. */
export function confirmAllOwn(replica: Replica, self: SiteId, peer: SiteId): void {
  for (const name of CLASS_GROUPS) {
    for (const bucket of replica.classDigest(name).keys()) {
      confirmOwn(replica, replica.vector(name, bucket), self, peer);
    }
  }
}
