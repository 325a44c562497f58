/**
 * What this site writes itself: checks it, signs it, and takes it in like any other entry.
 */
import { KNOWN_RULES } from "../../../protocol/statements/epoch-statement.ts";
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import {
  idOf,
  type LogId,
  type MeshId,
  type SiteId,
  type StatementId,
  type VersionId,
} from "../../../protocol/ids.ts";
import type { ClassName } from "../../../protocol/logs/record-class.ts";
import { MAX_LAMPORT, versionId } from "../../../protocol/logs/record-version.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import type { Clock } from "../../core/clock.ts";
import type { View } from "../../core/logs/view.ts";
import type { Logger } from "../../observe/log.ts";
import type { CommitQueue, Outcome } from "../commit-queue.ts";
import type { Incoming } from "../incoming.ts";
import { checkChange, versionsFor, type RecordChange } from "../record-change.ts";
import type { Reception } from "../replica.ts";
import type { Shelf } from "../shelf.ts";
import { noMesh, StateError } from "../state-error.ts";
import type { StatementBook } from "../statement-book.ts";
import { OwnLogs } from "./own-logs.ts";

export interface WriteResult {
  /** The new versions. Empty when everything was so already. */
  readonly versions: readonly VersionId[];
  /** The entries that carry them. */
  readonly entries: readonly {
    readonly class: ClassName;
    readonly log: LogId;
    readonly seq: number;
  }[];
}

interface OwnWritesSetup {
  readonly siteKey: SigningKey;
  readonly clock: Clock;
  readonly log: Logger;
  readonly book: StatementBook;
  readonly shelf: Shelf;
  readonly queue: CommitQueue;
  readonly incoming: Incoming;
  readonly view: () => View;
}

export class OwnWrites {
  readonly #setup: OwnWritesSetup;
  readonly #siteId: SiteId;
  #logs: OwnLogs | undefined;

  constructor(setup: OwnWritesSetup) {
    this.#setup = setup;
    this.#siteId = idOf<SiteId>(setup.siteKey.publicKey);
  }

  /**
   * A job of the queue: all of the changes or none.
   *
   * @throws StateError E-STATE-NO-MESH, E-STATE-RULES, E-STATE-RIGHT, E-STATE-VALUE, E-STATE-FULL,
   *   E-STATE-FORKED
   */
  async write(changes: readonly RecordChange[]): Promise<Outcome<WriteResult>> {
    const { book, incoming, shelf, view } = this.#setup;
    const siteId = this.#siteId;
    const own = this.#ownLogs();
    for (const change of changes) checkChange(change, siteId, book.authority);
    const lamport = incoming.lamport.next();
    if (lamport + changes.length > MAX_LAMPORT) throw usedUp();
    const made = versionsFor(changes, { siteId, lamport, shelf, view: view() });
    const { publish, result: entries } = await this.#takeIn(own.sign(made));
    const versions = made.flatMap(({ class: recordClass, records }) =>
      records.map(([key, version]) => versionId(siteId, recordClass, key, version)),
    );
    return { publish, result: { versions, entries } };
  }

  /**
   * Writes what stood in a log of ours that another box with this key has displaced into a new
   * one at once: what people see here must not wait for the next change to come back.
   *
   * @param author - Of what has just come; undefined: a statement.
   */
  replaceDisplaced(author: SiteId | undefined): void {
    const { book, queue, incoming, log } = this.#setup;
    const own = this.#logs;
    if (own === undefined || (author !== undefined && author !== this.#siteId)) return;
    if (own.displaced().length === 0) return;
    const replaced = queue.enqueue(() => {
      const { rules, ...authority } = book.authority;
      const maySign = rules <= KNOWN_RULES && authority.isMember(this.#siteId);
      if (!maySign || !authority.mayOpenLogs(this.#siteId)) return this.#takeIn([]);
      return this.#takeIn(own.replaceDisplaced(incoming.lamport.next()));
    });
    replaced.catch((error: unknown) => {
      log.error("a displaced log was not replaced", { error: String(error) });
    });
  }

  async #takeIn(envelopes: Iterable<Envelope>): Promise<Outcome<WriteResult["entries"]>> {
    const outcomes: Outcome<Reception>[] = [];
    const entries: WriteResult["entries"][number][] = [];
    for (const envelope of envelopes) {
      const outcome = await this.#setup.incoming.takeOne(envelope, undefined);
      // A bug of ours: what was taken before it in this write is not to be relied on either.
      if (outcome.result !== "accepted" && outcome.result !== "parked")
        throw new TypeError(`own entry ${envelope.id} is unfit`);
      outcomes.push(outcome);
      entries.push({ class: envelope.header.class, log: envelope.log, seq: envelope.header.seq });
    }
    const publish = (): void => outcomes.forEach((outcome) => outcome.publish());
    return { publish, result: entries };
  }

  /** @throws StateError E-STATE-NO-MESH, E-STATE-RULES */
  #ownLogs(): OwnLogs {
    const { book, siteKey, clock, shelf } = this.#setup;
    const { meshId } = book.set;
    if (meshId === undefined) throw noMesh();
    if (book.authority.rules > KNOWN_RULES) throw laterRules(book.authority.rules);
    const epoch = (): StatementId | MeshId => book.authority.epoch.ids[0] ?? meshId;
    this.#logs ??= new OwnLogs(shelf, { siteKey, siteId: this.#siteId, meshId, clock, epoch });
    return this.#logs;
  }
}

/** What is signed under rules that are not known here might mean something else to those who do. */
function laterRules(rules: number): StateError {
  const message = `The mesh follows version ${rules} of the rules; this program knows ${KNOWN_RULES}.`;
  return new StateError("E-STATE-RULES", message, {
    hint: "Upgrade pleach on this site. Until then it keeps, passes on and shows what others write.",
  });
}

/** No box comes to it by itself: each entry takes one of 2^48 numbers. */
function usedUp(): StateError {
  const message =
    "The key of this site has signed the highest number: it can sign nothing after it.";
  const hint = "Somebody else has the key. Enrol this box with a new one, and expel this one.";
  return new StateError("E-STATE-FORKED", message, { hint, exit: 5 });
}
