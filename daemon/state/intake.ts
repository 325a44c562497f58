/**
 * Admits entries to the logs of this node, foreign and own ones by the same checks.
 *
 * The order: form and signature (protocol/logs/envelope.ts), mesh, author, limit, place in the log,
 * what others have taken up, room, then the document. What has to be written is staged; the
 * caller publishes it when it is durable.
 */
import { readEnvelope, type Envelope } from "../../protocol/logs/envelope.ts";
import type { ForkProofBody } from "../../protocol/statements/fork-proof-statement.ts";
import { encodeSignedHeader } from "../../protocol/logs/signed-header.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { Clock } from "../core/clock.ts";
import { LogDocument, type DocumentRefusal } from "../core/logs/log-document.ts";
import type { Store } from "../core/store.ts";
import { noLongerShut } from "./build-at-start.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { Documents } from "./documents.ts";
import { HeldLog, roomOfEntry, wordOf } from "./held-log.ts";
import { LOG_BYTES, type AuthorRoom } from "./keep/author-room.ts";
import { isSoundStretch, type Backfill } from "./keep/backfill.ts";
import { encodeReceived, type Pruning } from "./keep/pruning.ts";
import { entryKey, headerKey, receivedKey } from "./keys.ts";
import type { EndedRights } from "./limits/ended-rights.ts";
import { contradicts, type ForkWatch } from "./limits/fork-watch.ts";
import type { Limits } from "./limits/limits.ts";
import { limitOf } from "./limits/log-limits.ts";
import { isNamed } from "./limits/pins.ts";
import type { Quarantine } from "./quarantine.ts";
import type { RefusalLog } from "./refusal-log.ts";
import { endOf, judgeHeard, MAX_KEPT_LOGS, type Shelf } from "./shelf.ts";

export type IntakeRefusal =
  | "E-STATE-MESH"
  | "E-STATE-RIGHT"
  | "E-STATE-FORK"
  | "E-STATE-LIMIT"
  | "E-STATE-CONTENT"
  | "E-STATE-QUARANTINE"
  | "E-STATE-FULL";

export type IntakeResult =
  | { readonly kind: "accepted" | "parked"; readonly held: HeldLog }
  /** Of what others have taken up, or of what was pruned: stored, and told to nobody. */
  | { readonly kind: "set-aside"; readonly held: HeldLog }
  | { readonly kind: "known" }
  /** Waits for the entry before it, for the headers before it, or for the enrolment of its author. */
  | { readonly kind: "waiting" }
  | { readonly kind: "forked"; readonly proof: ForkProofBody }
  | { readonly kind: "refused"; readonly reason: IntakeRefusal };

interface IntakeSetup {
  readonly store: Store;
  readonly shelf: Shelf;
  readonly refusals: RefusalLog;
  readonly quarantine: Quarantine;
  readonly clock: Clock;
  readonly queue: CommitQueue;
  readonly documents: Documents;
  readonly pruning: Pruning;
  readonly room: AuthorRoom;
  readonly forks: ForkWatch;
  readonly limits: Limits;
  readonly rights: EndedRights;
  readonly backfill: Backfill;
}

export class Intake {
  readonly #setup: IntakeSetup;

  constructor(setup: IntakeSetup) {
    this.#setup = setup;
  }

  /**
   * @param origin - `own` needs no mark: a payload that ends the process is not made again.
   * @param again - It waited before, so nobody may have what lies between: then a snapshot may
   *   leave a gap behind it.
   */
  async take(
    envelope: Envelope,
    authority: Authority,
    origin: "own" | "foreign",
    again: boolean,
  ): Promise<IntakeResult> {
    const { shelf, forks, limits, rights } = this.#setup;
    const before = shelf.get(envelope.log);
    const place = this.#judgePlace(envelope, before, authority, again);
    if (place === "forked") {
      const proof = before && (await forks.proof(before, envelope, signedHeaderOf(envelope)));
      return proof === undefined ? refused("E-STATE-FORK") : { kind: "forked", proof };
    }
    if (place === "pruned") return this.#fillIn(before, envelope, authority);
    if (place !== "next") return place;
    const held = before ?? new HeldLog(envelope.log, envelope.header);
    if (before === undefined) limits.begin(held, authority);
    const standing = await this.#standing(held, envelope);
    if (standing === "whole") return { kind: held.storedSeq > 0 ? "known" : "waiting" };
    if (standing === "crowded" && origin === "foreign") return refused("E-STATE-LIMIT");
    if (origin === "foreign" && !(await this.#hasRoom(envelope))) return refused("E-STATE-FULL");
    // It may have gone to make that room; then it comes again from its beginning.
    if (before !== undefined && shelf.get(before.log) === undefined) return { kind: "waiting" };
    const refusal = await this.#apply(held, envelope, origin);
    if (refusal !== undefined) return this.#refuse(held, envelope, refusal);
    await this.#keep(held, envelope);
    await rights.noteEntry(held, envelope.header.seq, authority);
    if (standing === "taken-up") return { kind: "set-aside", held };
    const mayCount = authority.mayWriteClass(held.author, held.class);
    return { kind: mayCount ? "accepted" : "parked", held };
  }

  #judgePlace(
    envelope: Envelope,
    held: HeldLog | undefined,
    authority: Authority,
    again: boolean,
  ): IntakeResult | "next" | "forked" | "pruned" {
    const { header, id, log } = envelope;
    const { author, seq } = header;
    if (header.mesh !== authority.meshId) return refused("E-STATE-MESH");
    if (this.#setup.quarantine.has(id)) return refused("E-STATE-QUARANTINE");
    if (!authority.sites.has(author) && !authority.endedSites.has(author))
      return { kind: "waiting" };
    const limit = limitOf(authority, author, log);
    if (limit === "none" || (limit !== "open" && seq > limit.seq)) {
      // Whoever passes on what lies behind a fork may not have heard of it yet.
      const isFork = authority.sites.has(author) && authority.forkedLogs.has(log);
      return refused(isFork ? "E-STATE-FORK" : "E-STATE-RIGHT");
    }
    if (held !== undefined && contradicts(held, envelope)) return "forked";
    if (limit !== "open" && seq === limit.seq && id !== limit.head) return refused("E-STATE-FORK");
    const storedSeq = held?.storedSeq ?? 0;
    // What lies before the oldest snapshot held is covered by it.
    if (seq <= storedSeq) {
      const isWanted = held?.idAt(seq) === undefined || held.stretchWith(seq) !== undefined;
      return isWanted ? "pruned" : { kind: "known" };
    }
    // Each costs building the document anew; signing many for one place must not cost it many times.
    if (held?.unfit?.seq === seq) return "forked";
    if (held?.isShut === true && header.kind !== "SNAP") return refused("E-STATE-QUARANTINE");
    const isNext = seq === storedSeq + 1;
    if (isNext && seq > 1 && header.prev !== held?.idAt(storedSeq)) return refused("E-STATE-FORK");
    if (header.kind !== "SNAP") return isNext && seq > 1 ? "next" : { kind: "waiting" };
    return this.#judgeSnapshot(envelope, held, isNext, again);
  }

  /** A snapshot has to go on the chain of those before it, which then need not be held. */
  #judgeSnapshot(
    { header, id }: Envelope,
    held: HeldLog | undefined,
    isNext: boolean,
    again: boolean,
  ): IntakeResult | "next" {
    if (header.seq === 1) return "next";
    const known = held?.knownSnapshots() ?? [];
    const before = known.findLast(({ seq }) => seq < header.seq);
    const follows = before !== undefined && before.id === header.prevSnap;
    if (follows && before.started !== header.started) return refused("E-STATE-CONTENT");
    if (isNext) return follows ? "next" : refused("E-STATE-CONTENT");
    // Its header came before it only because nobody has the entries between.
    const isExpected = known.some((snapshot) => snapshot.id === id);
    const mayLeaveGap = again || isExpected || (held?.storedSeq ?? 0) === 0;
    return follows && mayLeaveGap ? "next" : { kind: "waiting" };
  }

  /** What statements name may have been pruned here. */
  async #fillIn(
    held: HeldLog | undefined,
    last: Envelope,
    authority: Authority,
  ): Promise<IntakeResult> {
    const { backfill, documents, room, clock, queue, shelf, rights, quarantine } = this.#setup;
    const stretch = held && (await backfill.add(held, last, isNamed(authority, last)));
    const from = stretch?.[0]?.header.seq;
    if (held === undefined || stretch === undefined || from === undefined) return { kind: "known" };
    const sizeBytes = stretch.reduce((sum, each) => sum + roomOfEntry(each), 0);
    if (!room.fits(held.author, sizeBytes)) return refused("E-STATE-FULL");
    const isSound = await quarantine.guard(last.id, async () => isSoundStretch(stretch));
    if (!isSound) return refused("E-STATE-CONTENT");
    const receivedMs = clock.wallMs();
    held.fillIn(stretch, receivedMs);
    for (const { log, header, bytes } of stretch) {
      queue.stage([{ kind: "put", key: entryKey(log, header.seq), value: bytes }]);
    }
    const received = encodeReceived(receivedMs);
    queue.stage([{ kind: "put", key: receivedKey(held.log, from), value: received }]);
    shelf.judgeAnew(held.lineage);
    await documents.settle(held.lineage);
    room.measure(held);
    await rights.noteEntry(held, from, authority);
    return { kind: "set-aside", held };
  }

  /** What the lineage makes of a log that ends with this entry. */
  async #standing(
    held: HeldLog,
    { header, log }: Envelope,
  ): Promise<"counts" | "taken-up" | "whole" | "crowded"> {
    const { shelf, pruning } = this.#setup;
    if (header.kind !== "SNAP" && shelf.counts(held)) return "counts";
    const word = header.kind === "SNAP" ? wordOf(header) : endOf(held)?.word;
    if (word === undefined) return "counts";
    const others = shelf.lineage(held.lineage).filter((other) => other !== held);
    const ends = others.flatMap((other) => endOf(other) ?? []);
    const judged = judgeHeard([...ends, { log, seq: header.seq, word }]);
    const takenUp = judged.get(log)?.seq ?? 0;
    if (takenUp === Infinity) return held.pins.length > 0 ? "taken-up" : "whole";
    if (header.seq <= takenUp) return "taken-up";
    if (takenUp > 0 || held.storedSeq > 0 || held.pins.length > 0) return "counts";
    // Those that statements name stay besides: what they held there may show. Those that have no say
    // take up room all the same.
    const live = others
      .filter((other) => isLive(judged, other) && other.pins.length === 0)
      .map((other) => other.log);
    const highest = live.toSorted().at(-1);
    if (live.length < MAX_KEPT_LOGS || highest === undefined) return "counts";
    if (log > highest) return "crowded";
    const gone = shelf.get(highest);
    if (gone !== undefined) await pruning.drop(gone);
    return "counts";
  }

  async #hasRoom(envelope: Envelope): Promise<boolean> {
    const { room, pruning, clock } = this.#setup;
    const { author } = envelope.header;
    const isFirst = envelope.header.seq === 1;
    const sizeBytes = roomOfEntry(envelope) + (isFirst ? LOG_BYTES : 0);
    if (!room.fits(author, sizeBytes)) {
      const nowMs = clock.monotonicMs();
      if (!room.mayYield(author, nowMs)) return false;
      await pruning.press(author);
      if (!room.fits(author, sizeBytes)) {
        room.noteFull(author, nowMs);
        return false;
      }
    }
    room.noteTaken(author);
    return true;
  }

  #refuse(held: HeldLog, envelope: Envelope, refusal: DocumentRefusal): IntakeResult {
    const { refusals, queue, quarantine } = this.#setup;
    refusals.unfit(envelope, refusal);
    queue.stage(quarantine.add(envelope));
    const { seq } = envelope.header;
    held.unfit = { seq, id: envelope.id, signed: signedHeaderOf(envelope) };
    return refused("E-STATE-CONTENT");
  }

  async #keep(held: HeldLog, envelope: Envelope): Promise<void> {
    const { shelf, clock, queue, room, documents, pruning } = this.#setup;
    const { header, log, bytes } = envelope;
    const receivedMs = clock.wallMs();
    if (shelf.get(log) === undefined) shelf.add(held);
    held.append(envelope, receivedMs);
    queue.stage([{ kind: "put", key: entryKey(log, header.seq), value: bytes }]);
    if (header.kind !== "SNAP") {
      shelf.noteUpdate(held);
      if (held.frozenSeq !== undefined) await documents.settle(held.lineage);
      room.measure(held);
      return;
    }
    const received = encodeReceived(receivedMs);
    queue.stage([{ kind: "put", key: receivedKey(log, header.seq), value: received }]);
    if (!held.hasHeader(header.seq)) {
      const value = signedHeaderOf(envelope);
      queue.stage([{ kind: "put", key: headerKey(log, header.seq), value }]);
      held.noteHeader({ ...header, id: envelope.id }, value.length);
    }
    shelf.judgeAnew(held.lineage);
    await documents.settle(held.lineage);
    for (const other of shelf.lineage(held.lineage)) room.measure(other);
    await pruning.tidy(held.lineage);
  }

  /** Changes the document of the log, or says why it cannot be changed so. */
  async #apply(
    held: HeldLog,
    envelope: Envelope,
    origin: "own" | "foreign",
  ): Promise<DocumentRefusal | undefined> {
    if (origin === "own") return this.#change(held, envelope);
    return this.#setup.quarantine.guard(envelope.id, () => this.#change(held, envelope));
  }

  /** On a refusal the document is thrown away, because it may be half changed. */
  async #change(held: HeldLog, envelope: Envelope): Promise<DocumentRefusal | undefined> {
    const { documents } = this.#setup;
    if (envelope.header.kind === "SNAP") {
      const started = LogDocument.start(envelope);
      if (typeof started === "string") return started;
      held.document = started;
      if (held.isShut) this.#setup.queue.stage([noLongerShut(held.log)]);
      held.isShut = false;
      return undefined;
    }
    if (envelope.header.kind !== "UPD" || held.isObscured) return undefined;
    const document = await documents.toContinue(held);
    // Not the entry's fault: what the store has lost is found and fetched at the next start.
    if (document === undefined) throw new Error(`the store has lost entries of ${held.log}`);
    const refusal = document.apply(envelope);
    if (refusal === undefined) return undefined;
    documents.forget(held);
    await documents.settle(held.lineage);
    return refusal;
  }
}

function isLive(judged: ReturnType<typeof judgeHeard>, held: HeldLog): boolean {
  return endOf(held) !== undefined && (judged.get(held.log)?.seq ?? 0) === 0;
}

function signedHeaderOf({ bytes }: Envelope): Uint8Array {
  const { headerBytes, signature } = readEnvelope(bytes);
  return encodeSignedHeader(headerBytes, signature);
}

function refused(reason: IntakeRefusal): IntakeResult {
  return { kind: "refused", reason };
}
