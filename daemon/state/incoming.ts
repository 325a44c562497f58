/**
 * Takes entries in, lets those wait that come too early, and makes known what became durable.
 */
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { ForkProofBody } from "../../protocol/statements/fork-proof-statement.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { Lamport } from "../core/logs/lamport.ts";
import type { Announcer } from "./announcer.ts";
import type { Outcome } from "./commit-queue.ts";
import type { HeldLog } from "./held-log.ts";
import type { Intake, IntakeResult } from "./intake.ts";
import type { Pruning } from "./keep/pruning.ts";
import { positionsOf, type Positions } from "./positions.ts";
import type { Reception } from "./replica.ts";
import type { Shelf } from "./shelf.ts";
import type { StatementBook } from "./statement-book.ts";
import type { ViewCache } from "./view-cache.ts";
import { WaitingRoom } from "./waiting-room.ts";

export interface IncomingSetup {
  readonly siteId: SiteId;
  readonly book: StatementBook;
  readonly shelf: Shelf;
  readonly intake: Intake;
  readonly pruning: Pruning;
  readonly positions: Positions;
  readonly views: ViewCache;
  readonly announcer: Announcer;
  /** Makes a proof of a fork known, and what it ends. */
  readonly prove: (proof: ForkProofBody) => Promise<Outcome<unknown>>;
}

export class Incoming {
  readonly #setup: IncomingSetup;
  readonly #waiting = new WaitingRoom();
  readonly lamport = new Lamport();

  constructor(setup: IncomingSetup) {
    this.#setup = setup;
  }

  /** An entry from a peer, and those that waited for it, one after another. */
  async take(envelope: Envelope, from: SiteId): Promise<Outcome<Reception>> {
    const taken = await this.takeOne(envelope, from);
    if (taken.result !== "accepted" && taken.result !== "parked") return taken;
    const outcomes = [taken];
    for (let seq = envelope.header.seq + 1; ; seq++) {
      const next = this.#waiting.take(envelope.log, seq);
      if (next.length === 0) break;
      for (const each of next) outcomes.push(await this.takeOne(each.envelope, each.from));
    }
    return { publish: () => outcomes.forEach(({ publish }) => publish()), result: taken.result };
  }

  /** Gives every waiting entry another chance, after statements have changed. */
  async takeWaiting(): Promise<Outcome<Reception>[]> {
    const outcomes: Outcome<Reception>[] = [];
    for (const { envelope, from } of this.#waiting.takeAll()) {
      outcomes.push(await this.takeOne(envelope, from));
    }
    return outcomes;
  }

  /** @param from - Undefined: this site made it. */
  async takeOne(envelope: Envelope, from: SiteId | undefined): Promise<Outcome<Reception>> {
    const { book, intake } = this.#setup;
    const again = this.#waiting.has(envelope);
    const origin = from === undefined ? "own" : "foreign";
    const taken = await intake.take(envelope, book.authority, origin, again);
    if (again && taken.kind !== "waiting") this.#waiting.remove(envelope);
    const nothing = (): void => {};
    switch (taken.kind) {
      case "known":
        return { publish: nothing, result: "known" };
      case "waiting": {
        const kept = from !== undefined && this.#waiting.keep(envelope, from);
        return { publish: nothing, result: kept ? "waiting" : { refused: "E-STATE-FULL" } };
      }
      case "set-aside":
        return { publish: this.#setAside(taken.held), result: "known" };
      case "forked": {
        const { publish } = await this.#setup.prove(taken.proof);
        return { publish, result: { refused: "E-STATE-FORK" } };
      }
      case "refused":
        return { publish: nothing, result: { refused: taken.reason } };
      case "accepted":
      case "parked":
        return this.#taken(taken, envelope, from);
    }
  }

  /** Statements may name a place in it, and then it shows what it held there. */
  #setAside(held: HeldLog): () => void {
    const { publishPositions } = this.#positionsAfter(held);
    if (held.pins.length === 0) return publishPositions;
    const { views, announcer } = this.#setup;
    views.forget(held.class);
    return () => {
      publishPositions();
      views.forget(held.class);
      announcer.noteClass(held.class);
    };
  }

  #taken(
    taken: Extract<IntakeResult, { kind: "accepted" | "parked" }>,
    envelope: Envelope,
    from: SiteId | undefined,
  ): Outcome<Reception> {
    const { book, views, announcer, siteId } = this.#setup;
    const { header, id, bytes, log } = envelope;
    this.lamport.note(header.lamport, header.author === siteId);
    // The next job of this group has to see it already, readers once more when it is durable.
    const { publishPositions, alone } = this.#positionsAfter(taken.held);
    const ended = book.authority.endedGrants.some(({ site }) => site === header.author);
    const forget = forgetting(views, envelope, taken.held, alone && !ended);
    forget();
    const publish = (): void => {
      publishPositions();
      forget();
      announcer.tellItem({ kind: "envelope", id, bytes, from, at: { log, seq: header.seq } });
      announcer.noteClass(header.class);
    };
    return { publish, result: taken.kind };
  }

  /** What makes known how far logs count, once that is durable. */
  #positionsAfter({ lineage }: HeldLog): {
    readonly publishPositions: () => void;
    /** No other log of the lineage counts, and no other lineage was touched. */
    readonly alone: boolean;
  } {
    const { shelf, positions, pruning } = this.#setup;
    const touched = pruning.takeTouched().add(lineage);
    const now = [...touched].map((name) => [name, positionsOf(shelf, name)] as const);
    const publishPositions = (): void => {
      for (const [name, counting] of now) positions.set(name, counting);
    };
    return { publishPositions, alone: touched.size === 1 && shelf.counting(lineage).length === 1 };
  }
}

/**
 * An update of the only log of its lineage changes the records that it sets. Anything else may
 * change which logs count, and an entry of a site that lost a right what shows of it.
 */
function forgetting(
  views: ViewCache,
  { header }: Envelope,
  { document, frozenSeq }: HeldLog,
  isPlain: boolean,
): () => void {
  const { class: name, author, kind, clockBefore, clockAfter } = header;
  const isCurrent = document?.clock === clockAfter && frozenSeq === undefined;
  if (kind !== "UPD" || !isPlain || !isCurrent) return () => views.forget(name);
  const keys = clockAfter > clockBefore ? document.lastKeys(clockAfter - clockBefore) : [];
  return () => views.forgetRecords(name, author, keys);
}
