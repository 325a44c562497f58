/**
 * Takes entries in, lets those wait that come too early, and makes known what became durable.
 */
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { ForkProofBody } from "../../protocol/statements/fork-proof-statement.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { Lamport } from "../core/logs/lamport.ts";
import type { Announcer } from "./announcer.ts";
import type { Outcome } from "./commit-queue.ts";
import { lineageOf, type HeldLog, type LineageName } from "./held-log.ts";
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
    const before = keysBefore(this.#setup.shelf, envelope);
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
        return this.#taken(taken, envelope, from, before);
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
    before: ReadonlySet<string>,
  ): Outcome<Reception> {
    const { book, views, announcer, siteId, shelf } = this.#setup;
    const { header, id, bytes, log } = envelope;
    this.lamport.note(header.lamport, header.author === siteId);
    // The next job of this group has to see it already, readers once more when it is durable.
    const { publishPositions, isOnly } = this.#positionsAfter(taken.held);
    const ended = book.authority.endedGrants.some(({ site }) => site === header.author);
    // An entry of a site that lost a right may change what shows of it, wherever that stands.
    const touched = isOnly && !ended ? touchedKeys(shelf, envelope, taken.held, before) : undefined;
    const forget = (): void => {
      if (touched === undefined) views.forget(header.class);
      else views.forgetRecords(header.class, header.author, touched);
    };
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
    /** No other lineage was touched. */
    readonly isOnly: boolean;
  } {
    const { shelf, positions, pruning } = this.#setup;
    const touched = pruning.takeTouched().add(lineage);
    const now = [...touched].map((name) => [name, positionsOf(shelf, name)] as const);
    const publishPositions = (): void => {
      for (const [name, counting] of now) positions.set(name, counting);
    };
    return { publishPositions, isOnly: touched.size === 1 };
  }
}

/** The records that a lineage says something of before a snapshot of it is taken. */
function keysBefore(shelf: Shelf, { header }: Envelope): ReadonlySet<string> {
  return header.kind === "SNAP" ? keysSaid(shelf, lineageOf(header)) : new Set();
}

function keysSaid(shelf: Shelf, lineage: LineageName): ReadonlySet<string> {
  return new Set([...shelf.versionsOf(lineage, "shown")].map(({ key }) => key));
}

/**
 * The records that an entry may show otherwise, when it touches one lineage; undefined: any.
 *
 * An update of the only log of its lineage changes the records that it sets. A snapshot may change
 * which logs of its lineage count, so it may change what any of them says.
 *
 * @param before - {@link keysBefore} the entry was taken.
 */
function touchedKeys(
  shelf: Shelf,
  { header }: Envelope,
  { document, frozenSeq, lineage }: HeldLog,
  before: ReadonlySet<string>,
): Iterable<string> | undefined {
  const { kind, clockBefore, clockAfter } = header;
  if (kind === "SNAP") return before.union(keysSaid(shelf, lineage));
  const isCurrent = document?.clock === clockAfter && frozenSeq === undefined;
  if (kind !== "UPD" || !isCurrent || shelf.counting(lineage).length > 1) return undefined;
  return clockAfter > clockBefore ? document.lastKeys(clockAfter - clockBefore) : [];
}
