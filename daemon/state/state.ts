/**
 * The replicated state of this node: statements, logs, and what they add up to.
 *
 * Everything that a promise resolves with is durable: it survives kill -9 and a power cut. What
 * is in memory can be rebuilt from the store, and the store from peers.
 */
import type { Envelope } from "../../protocol/envelope.ts";
import {
  idOf,
  type LogId,
  type MeshId,
  type SiteId,
  type StatementId,
  type VersionId,
} from "../../protocol/ids.ts";
import type { ClassName } from "../../protocol/record-class.ts";
import { MAX_LAMPORT, versionId } from "../../protocol/record-version.ts";
import type { SigningKey } from "../../protocol/signature.ts";
import { encodeStatement, type SignedStatement } from "../../protocol/statement.ts";
import type { ChainHead, SignerId } from "../../protocol/statement-head.ts";
import type { Authority } from "../core/authority.ts";
import type { Clock } from "../core/clock.ts";
import type { Store } from "../core/store.ts";
import type { View } from "../core/view.ts";
import type { Logger } from "../observe/log.ts";
import { dueAcknowledgement } from "./acknowledge.ts";
import { Announcer, type StateEvent } from "./announcer.ts";
import { CommitQueue, type Outcome } from "./commit-queue.ts";
import { Confirmations } from "./confirmations.ts";
import type { HeldLog } from "./held-log.ts";
import { Incoming, positionOf } from "./incoming.ts";
import { Intake } from "./intake.ts";
import { statementKey } from "./keys.ts";
import { applyCutoffs, loadLogs } from "./load.ts";
import { OwnLogs } from "./own-logs.ts";
import { Positions, type LogFact } from "./positions.ts";
import { checkChange, versionsFor, type RecordChange } from "./record-change.ts";
import { Quarantine } from "./quarantine.ts";
import { RefusalLog, tellingRefusals } from "./refusal-log.ts";
import type { Reception, Replica } from "./replica.ts";
import { createReplica } from "./state-replica.ts";
import { sealEntries } from "./sealed-entries.ts";
import { Shelf } from "./shelf.ts";
import { StateError } from "./state-error.ts";
import { StatementBook } from "./statement-book.ts";
import { ViewCache } from "./view-cache.ts";

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

export interface AddResult {
  readonly added: readonly StatementId[];
  /** In memory only, until what they name is here. */
  readonly waiting: readonly StatementId[];
  readonly refused: readonly { readonly id: StatementId; readonly reason: string }[];
}

export interface StateSetup {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly siteKey: SigningKey;
}

export class State {
  readonly siteId: SiteId;
  readonly replica: Replica;
  readonly #setup: StateSetup;
  readonly #queue: CommitQueue;
  readonly #book: StatementBook;
  readonly #shelf = new Shelf();
  readonly #incoming: Incoming;
  readonly #positions = new Positions();
  readonly #confirmations = new Confirmations();
  readonly #views = new ViewCache();
  readonly #announcer: Announcer;
  #own: OwnLogs | undefined;

  /** Reads the store. Works before there is a mesh: then only statements can be added. */
  static async open(given: StateSetup): Promise<State> {
    const { log } = given;
    const store = sealEntries(given.store, log);
    const setup = { ...given, store };
    const book = await StatementBook.open(store, log);
    const state = new State(setup, book, await Quarantine.open(store, log));
    state.#incoming.lamport = await loadLogs(store, state.#shelf, book.authority, log);
    for (const held of state.#shelf.all()) state.#publishPosition(held);
    // A version that knows more rules than the one before it may have something to say.
    const due = dueAcknowledgement(book.set, book.authority, setup.siteKey);
    if (due !== undefined) await state.addStatements([due]);
    return state;
  }

  private constructor(setup: StateSetup, book: StatementBook, quarantine: Quarantine) {
    const { store, log, siteKey, clock } = setup;
    this.#setup = setup;
    this.#book = book;
    this.siteId = idOf<SiteId>(siteKey.publicKey);
    const announcer = new Announcer(log);
    const queue = new CommitQueue(store, () => announcer.announce());
    const refusals = new RefusalLog(log, clock, () => book.authority);
    const intake = new Intake({ store, shelf: this.#shelf, refusals, quarantine, clock, queue });
    const [positions, views] = [this.#positions, this.#views];
    this.#announcer = announcer;
    this.#queue = queue;
    this.#incoming = new Incoming({ book, intake, positions, views, announcer });
    const replica = createReplica({
      store,
      statements: book.set,
      positions,
      confirmations: this.#confirmations,
      onNew: (listener) => announcer.onItem(listener),
      receiveStatement: (statement, from) => this.#receiveStatement(statement, from),
      isKnown: ({ id, log: name, header: { seq } }) => {
        const durable = positions.get(name)?.seq ?? 0;
        return seq <= durable && this.#shelf.get(name)?.idAt(seq) === id;
      },
      isAuthorKnown: (site) => {
        const { sites, endedSites } = book.authority;
        return sites.has(site) || endedSites.has(site);
      },
      receiveEnvelope: (envelope, from) => this.#receiveEnvelope(envelope, from),
    });
    this.replica = tellingRefusals(replica, refusals);
  }

  get meshId(): MeshId | undefined {
    return this.#book.set.meshId;
  }

  authority(): Authority {
    return this.#book.authority;
  }

  /** The merged picture of what is here now; it does not change under the reader. */
  view(): View {
    return this.#views.view(this.#shelf, this.#book.authority);
  }

  /** All statements that are kept, in the order of their arrival. */
  statements(): readonly SignedStatement[] {
    return this.#book.set.all();
  }

  /**
   * What the next statement of an operator or owner has to carry.
   *
   * @throws StateError E-STATE-NO-MESH
   */
  chainHead(by: SignerId): ChainHead {
    const head = this.#book.set.chainHead(by);
    if (head === undefined) throw noMesh();
    return head;
  }

  /** Takes in statements in any order; resolves when the added ones are durable. */
  addStatements(statements: readonly SignedStatement[]): Promise<AddResult> {
    return this.#queue.enqueue(() => this.#addStatements(statements, undefined));
  }

  /**
   * Writes own records: all of the changes or none.
   *
   * @throws StateError E-STATE-NO-MESH, E-STATE-RIGHT, E-STATE-VALUE, E-STATE-FULL
   */
  write(changes: readonly RecordChange[]): Promise<WriteResult> {
    return this.#queue.enqueue(() => this.#write(changes));
  }

  /** Tells of changes after they are durable. Returns what ends the telling. */
  subscribe(listener: (event: StateEvent) => void): () => void {
    return this.#announcer.onEvent(listener);
  }

  /** All logs ever seen that count, the retired ones, too. */
  logHeads(): readonly LogFact[] {
    return this.#positions.all().map(({ class: recordClass, author, log, seq, head }) => {
      const held = this.#shelf.get(log);
      const retired = held !== undefined && !this.#shelf.isLive(held);
      return { class: recordClass, author, log, seq, head, retired };
    });
  }

  /** Which other sites have said, since this start, that they hold an entry. */
  confirmedBy(entry: { readonly log: LogId; readonly seq: number }): readonly SiteId[] {
    return this.#confirmations.of(entry.log, entry.seq);
  }

  /**
   * Sites that have two logs of one part side by side: two boxes run with one key, or a box was
   * put back to an older image and has not written since.
   */
  doubledSites(): ReadonlySet<SiteId> {
    return this.#shelf.doubled();
  }

  /** Waits for what is under way, then refuses everything. The store stays open. */
  close(): Promise<void> {
    return this.#queue.close();
  }

  async #addStatements(
    statements: readonly SignedStatement[],
    from: SiteId | undefined,
  ): Promise<Outcome<AddResult>> {
    const { added, waiting, refused, changes } = this.#book.add(statements, from);
    const result = { added: added.map(({ id }) => id), waiting, refused };
    this.#queue.stage(changes);
    if (added.length === 0) return { publish: () => {}, result };
    const acknowledged = await this.#acknowledge();
    const { store, log } = this.#setup;
    this.#views.forgetAll();
    const flush = (): Promise<void> => this.#queue.flush();
    const cut = await applyCutoffs(store, this.#shelf, this.#book.authority, log, flush);
    const woken = await this.#incoming.takeWaiting();
    const publish = (): void => {
      for (const held of cut) this.#publishPosition(held);
      this.#views.forgetAll();
      for (const statement of added) {
        const bytes = encodeStatement(statement);
        this.#announcer.tellItem({ kind: "statement", id: statement.id, bytes, from });
      }
      for (const { id, bytes } of acknowledged) {
        this.#announcer.tellItem({ kind: "statement", id, bytes, from: undefined });
      }
      this.#announcer.noteStatements();
      for (const outcome of woken) outcome.publish();
    };
    return { publish, result };
  }

  /** Durable before anybody can ask for it: a second, other word after a crash would be a lie. */
  async #acknowledge(): Promise<
    readonly { readonly id: StatementId; readonly bytes: Uint8Array }[]
  > {
    const { set, authority } = this.#book;
    const due = dueAcknowledgement(set, authority, this.#setup.siteKey);
    if (due === undefined) return [];
    const bytes = encodeStatement(due);
    this.#queue.stage([{ kind: "put", key: statementKey(due.id), value: bytes }]);
    await this.#queue.flush();
    this.#queue.stage(this.#book.add([due]).changes);
    return [{ id: due.id, bytes }];
  }

  async #receiveStatement(statement: SignedStatement, from: SiteId): Promise<Reception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    if (this.#book.set.get(statement.id) !== undefined) return "known";
    const result = await this.#queue.enqueue(() => this.#addStatements([statement], from));
    if (result.added.includes(statement.id)) return "accepted";
    if (result.waiting.includes(statement.id)) return "waiting";
    const refusal = result.refused.find(({ id }) => id === statement.id);
    return refusal === undefined ? "known" : { refused: refusal.reason };
  }

  async #receiveEnvelope(envelope: Envelope, from: SiteId): Promise<Reception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    return this.#queue.enqueue(() => this.#incoming.take(envelope, from));
  }

  async #write(changes: readonly RecordChange[]): Promise<Outcome<WriteResult>> {
    const { meshId, siteId } = this;
    if (meshId === undefined) throw noMesh();
    const { clock, siteKey } = this.#setup;
    for (const change of changes) checkChange(change, siteId, this.#book.authority);
    const lamport = Math.min(this.#incoming.lamport + 1, MAX_LAMPORT);
    const made = versionsFor(changes, { siteId, lamport, shelf: this.#shelf, view: this.view() });
    this.#own ??= new OwnLogs({ siteKey, siteId, meshId, clock, shelf: this.#shelf });
    const outcomes: Outcome<Reception>[] = [];
    const entries: { class: ClassName; log: LogId; seq: number }[] = [];
    for (const envelope of this.#own.sign(made, lamport)) {
      const outcome = await this.#incoming.takeOne(envelope, undefined);
      // A bug of ours: what was taken before it in this write is not to be relied on either.
      if (outcome.result !== "accepted") throw new TypeError(`own entry ${envelope.id} is unfit`);
      outcomes.push(outcome);
      entries.push({ class: envelope.header.class, log: envelope.log, seq: envelope.header.seq });
    }
    const versions = made.flatMap(({ class: recordClass, records }) =>
      records.map(([key, version]) => versionId(siteId, recordClass, key, version)),
    );
    const publish = (): void => outcomes.forEach((outcome) => outcome.publish());
    return { publish, result: { versions, entries } };
  }

  #publishPosition(held: HeldLog): void {
    const position = positionOf(held);
    if (position === undefined) this.#positions.remove(held.log, held.class);
    else this.#positions.set(position);
  }
}

function noMesh(): StateError {
  return new StateError("E-STATE-NO-MESH", "This site is in no mesh yet.", {
    hint: "Run: pleach init, or pleach join CODE",
  });
}
