/**
 * What the state is made of, and who is told of whom.
 *
 * All parts work on one shelf and one queue: whoever changes the shelf runs as a job of the queue.
 */
import { idOf, type SiteId } from "../../protocol/ids.ts";
import type { ForkProofBody } from "../../protocol/statements/fork-proof-statement.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { Clock } from "../core/clock.ts";
import type { Store } from "../core/store.ts";
import type { View } from "../core/logs/view.ts";
import type { Logger } from "../observe/log.ts";
import { Announcer } from "./announcer.ts";
import { CommitQueue, type Outcome } from "./commit-queue.ts";
import { Confirmations } from "./confirmations.ts";
import { Documents } from "./documents.ts";
import { HeaderIntake } from "./header-intake.ts";
import { Incoming } from "./incoming.ts";
import { Intake } from "./intake.ts";
import { AuthorRoom } from "./keep/author-room.ts";
import { Pruning } from "./keep/pruning.ts";
import { Backfill } from "./keep/backfill.ts";
import { EndedRights } from "./limits/ended-rights.ts";
import type { Freezes } from "./limits/freezes.ts";
import { ForkWatch } from "./limits/fork-watch.ts";
import { Limits } from "./limits/limits.ts";
import { OwnWrites } from "./own/own-writes.ts";
import { Positions } from "./positions.ts";
import type { Quarantine } from "./quarantine.ts";
import { RefusalLog } from "./refusal-log.ts";
import { Shelf } from "./shelf.ts";
import type { StatementBook } from "./statement-book.ts";
import { StatementIntake } from "./statement-intake.ts";
import { ViewCache } from "./view-cache.ts";

export interface StateSetup {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly siteKey: SigningKey;
  /** What one author may take of store and memory. Default: 256 MiB. */
  readonly authorRoomBytes?: number;
}

/** What is read from the store before anything else. */
export interface Beginnings {
  readonly book: StatementBook;
  readonly quarantine: Quarantine;
  readonly freezes: Freezes;
}

export type StateParts = ReturnType<typeof assembleParts>;

export function assembleParts(setup: StateSetup, { book, quarantine, freezes }: Beginnings) {
  const { store, log, siteKey, clock } = setup;
  const siteId = idOf<SiteId>(siteKey.publicKey);
  const [shelf, positions, views] = [new Shelf(), new Positions(), new ViewCache()];
  const announcer = new Announcer(log);
  const queue = new CommitQueue(store, quarantine, () => announcer.announce());
  const refusals = new RefusalLog(log, clock, () => book.authority);
  const flush = (): Promise<void> => queue.flush();
  const documents = new Documents(store, shelf, flush);
  const room = new AuthorRoom(setup.authorRoomBytes);
  const pruning = new Pruning({ store, shelf, room, clock, queue, freezes });
  const forks = new ForkWatch(store, flush);
  const rights = new EndedRights(shelf, documents);
  const limits = new Limits({ shelf, queue, documents, pruning, room, freezes, rights });
  const backfill = new Backfill(store, flush);
  const keeping = { documents, pruning, room, forks, limits, rights, backfill };
  const intake = new Intake({ store, shelf, refusals, quarantine, clock, queue, ...keeping });
  const headers = new HeaderIntake({ shelf, queue, room, forks, limits });
  const telling = { positions, views, announcer };
  // These two need one another: a fork makes a statement, a statement wakes entries that wait.
  const takeWaiting = (): Promise<readonly Outcome<unknown>[]> => incoming.takeWaiting();
  const taking = { siteKey, queue, book, shelf, limits, ...telling };
  const statements = new StatementIntake({ ...taking, takeWaiting });
  const prove = (proof: ForkProofBody): Promise<Outcome<unknown>> => statements.prove(proof);
  const incoming = new Incoming({ siteId, book, shelf, intake, pruning, prove, ...telling });
  const view = (): View => views.view(shelf, rights, book.authority);
  const own = new OwnWrites({ siteKey, clock, log, book, shelf, queue, incoming, view });
  const confirmations = new Confirmations();
  const shown = { shelf, positions, documents, rights, view };
  const kept = { shelf, room, quarantine };
  const doing = { queue, announcer, statements, headers, incoming, own, limits };
  return { siteId, store, clock, log, book, refusals, confirmations, kept, ...shown, ...doing };
}
