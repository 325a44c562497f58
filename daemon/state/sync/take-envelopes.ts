/**
 * The part of a round that takes over entries: of each class that differs only the buckets that
 * differ, and of those only what is of use here; own logs before all others.
 *
 * Equal digests say more than that there is nothing to do: the peer holds our own entries durably.
 */
import { readEnvelope } from "../../../protocol/logs/envelope.ts";
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import { CLASS_GROUPS, type ClassGroup } from "../../../protocol/logs/record-class.ts";
import type { SyncHello, SyncMessageOf } from "../../../protocol/messages/sync-message.ts";
import type { LogPosition, Replica } from "../replica.ts";
import type { Asking } from "./asking.ts";
import { classDigestOf } from "./conversation.ts";
import type { HandOver } from "./hand-over.ts";
import { compareHeaders, takeSnapshotChain } from "./header-walk.ts";
import { SyncError } from "./sync-error.ts";

/** Passes over the classes before the next round has to go on. */
const MAX_PASSES = 8;
/** More is no mesh that the limits of the state allow. */
const MAX_LOGS_OF_CLASS = 200_000;
/** Logs kept in mind in one pass: the rest is asked for in the next. */
const MAX_WANTED = 16_384;
const MAX_PARTED = 64;
/** Asked for at once. */
const LOGS_AT_ONCE = 64;

interface Wanted {
  readonly log: LogId;
  /** The entry behind which they are wanted. */
  readonly after: number;
  /** The last one that is wanted; undefined: all. */
  readonly to?: number;
  readonly fromSeq: number;
  /** This site wrote it. */
  readonly own: boolean;
}

export class EntryTaker {
  readonly #asking: Asking;
  readonly #replica: Replica;
  readonly #self: SiteId;
  /** Logs that have another history there than here, with the last place to be compared. */
  readonly #parted = new Map<LogId, number>();

  readonly #handOver: HandOver;

  constructor(asking: Asking, handOver: HandOver, self: SiteId) {
    this.#handOver = handOver;
    this.#asking = asking;
    this.#replica = asking.replica;
    this.#self = self;
  }

  /** @param theirs - What the peer held when it answered. */
  async take(theirs: SyncHello): Promise<void> {
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const { envelopes, statements } = this.#asking;
      const differing = CLASS_GROUPS.filter((name) => this.#differs(name, theirs));
      if (differing.length === 0) return;
      await this.#asking.talk.say({ v: 1, kind: "digests-wanted", classes: differing });
      const { classes } = await this.#asking.hear("digests");
      for (const name of differing) {
        // A peer of an older version does not know the class: it has none of its logs.
        const buckets = this.#compare(name, classes[name] ?? []);
        if (buckets.length > 0) await this.#takeBuckets(name, buckets);
      }
      const news = this.#asking.envelopes + this.#asking.statements - envelopes - statements;
      if (news === 0 || theirs.state === this.#replica.stateDigest()) return;
    }
  }

  #differs(name: ClassGroup, theirs: SyncHello): boolean {
    const ours = this.#replica.classDigest(name);
    const digest = theirs.classes?.[name];
    if (digest !== classDigestOf(ours)) return digest !== undefined;
    for (const bucket of ours.keys()) this.#confirmBucket(name, bucket);
    return false;
  }

  /** The buckets that differ. Those that do not confirm our own logs in them. */
  #compare(name: ClassGroup, theirs: readonly string[]): number[] {
    const differing: number[] = [];
    for (const [bucket, digest] of this.#replica.classDigest(name).entries()) {
      if (theirs[bucket] === digest) this.#confirmBucket(name, bucket);
      else if (theirs[bucket] !== undefined) differing.push(bucket);
    }
    return differing;
  }

  async #takeBuckets(name: ClassGroup, buckets: number[]): Promise<void> {
    await this.#asking.talk.say({ v: 1, kind: "vectors-wanted", class: name, buckets });
    const wanted: Wanted[] = [];
    const unlisted = new Set(
      buckets.flatMap((bucket) => this.#replica.vector(name, bucket).map(({ log }) => log)),
    );
    let last = "";
    const page = (m: SyncMessageOf<"vectors">) => ({ length: m.logs.length, more: m.more });
    for await (const { logs } of this.#asking.frames("vectors", page, MAX_LOGS_OF_CLASS)) {
      for (const their of logs) {
        if (their.log <= last) throw new SyncError("E-SYNC-ORDER", "Logs came in no order.");
        last = their.log;
        unlisted.delete(their.log);
        const { log, fromSeq, yours: own = false } = their;
        const after = this.#judge(their);
        if (wanted.length >= MAX_WANTED) continue;
        if (after !== undefined) wanted.push({ log, after, fromSeq, own });
        for (const { from, to } of this.#replica.stretchesWanted(log, their.shows ?? [])) {
          wanted.push({ log, after: from - 1, to, fromSeq: from, own });
        }
      }
    }
    for (const log of unlisted) this.#handOver.addLog(log, 0);
    // Our own first: what was lost here and lives on elsewhere is known before we write anew.
    wanted.sort((a, b) => Number(b.own) - Number(a.own));
    for (let at = 0; at < wanted.length; at += LOGS_AT_ONCE) {
      const logs = wanted.slice(at, at + LOGS_AT_ONCE);
      await this.#takeLogs(logs);
      await this.#acknowledge(logs);
    }
    await this.#comparePartedLogs();
  }

  /** Behind which entry the peer's entries of a log are wanted; undefined: none are. */
  #judge(their: SyncMessageOf<"vectors">["logs"][number]): number | undefined {
    const our = this.#replica.position(their.log);
    const sameSeq = our?.seq === their.seq;
    if (our !== undefined && sameSeq && our.head !== their.head) this.#note(our.log, our.seq);
    else if (our?.author === this.#self) {
      this.#replica.noteConfirmed(our.log, Math.min(our.seq, their.seq), this.#asking.talk.peer);
    }
    if (our !== undefined && our.seq > their.seq) this.#handOver.addLog(our.log, their.seq);
    const after = this.#replica.wantedAfter(their.log);
    return after !== undefined && after < their.seq ? after : undefined;
  }

  async #takeLogs(logs: readonly Wanted[]): Promise<void> {
    for (const { log, after, fromSeq } of logs) {
      if (fromSeq <= after + 1) continue;
      if (!(await takeSnapshotChain(this.#asking, log, after))) this.#note(log, after);
    }
    const positions = logs.map(({ log, after, to }) => {
      return to === undefined ? { log, after } : { log, after, to };
    });
    await this.#asking.talk.say({ v: 1, kind: "envelopes-wanted", logs: positions });
    await this.#asking.items("envelopes", async (bytes) => {
      const reception = await this.#replica.receiveEnvelope(bytes, this.#asking.talk.peer);
      if (this.#asking.note(reception)) this.#asking.envelopes++;
      else if (typeof reception === "object" && reception.refused === "E-STATE-FORK") {
        const { log, header } = readEnvelope(bytes);
        this.#note(log, header.seq);
      }
    });
  }

  #note(log: LogId, lastSeq: number): void {
    if (this.#parted.size < MAX_PARTED) this.#parted.set(log, lastSeq);
  }

  /** Of logs that have another history there than here, the proof of that. */
  async #comparePartedLogs(): Promise<void> {
    const parted = [...this.#parted];
    this.#parted.clear();
    for (const [log, lastSeq] of parted) {
      if (await compareHeaders(this.#asking, log, lastSeq)) this.#asking.statements++;
    }
  }

  /** Tells the peer what of its logs is durable here now, which makes its entries confirmed. */
  async #acknowledge(taken: readonly Wanted[]): Promise<void> {
    const logs = taken.flatMap(({ log }) => {
      const our = this.#replica.position(log);
      return our === undefined ? [] : [{ log, seq: our.seq }];
    });
    if (logs.length > 0) await this.#asking.talk.say({ v: 1, kind: "stored", logs });
  }

  #confirmBucket(name: ClassGroup, bucket: number): void {
    const { talk } = this.#asking;
    confirmOwn(this.#replica, this.#replica.vector(name, bucket), this.#self, talk.peer);
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
