/**
 * The replicated state of this node: statements, logs, and what they add up to.
 *
 * Everything that a promise resolves with is durable: it survives kill -9 and a power cut. What
 * is in memory can be rebuilt from the store, and the store from peers.
 */
import type { Envelope } from "../../protocol/envelope.ts";
import type { ForkProofBody } from "../../protocol/fork-proof-statement.ts";
import { KNOWN_RULES } from "../../protocol/epoch-statement.ts";
import {
  idOf,
  type LogId,
  type MeshId,
  type PeerKey,
  type SiteId,
  type StatementId,
  type VersionId,
} from "../../protocol/ids.ts";
import type { LogHead } from "../../protocol/log-head.ts";
import type { ClassName } from "../../protocol/record-class.ts";
import { MAX_LAMPORT } from "../../protocol/record-version.ts";
import { versionId } from "../../protocol/record-version.ts";
import type { SignedHeader } from "../../protocol/signed-header.ts";
import type { SigningKey } from "../../protocol/signature.ts";
import { encodeStatement, signStatement, type SignedStatement } from "../../protocol/statement.ts";
import type { ChainHead, SignerId } from "../../protocol/statement-head.ts";
import type { Authority } from "../core/authority.ts";
import type { Clock } from "../core/clock.ts";
import type { Store } from "../core/store.ts";
import type { View } from "../core/view.ts";
import type { Logger } from "../observe/log.ts";
import { dueAcknowledgement } from "./acknowledge.ts";
import { Announcer, type StateEvent } from "./announcer.ts";
import { buildAtStart } from "./build-at-start.ts";
import { CommitQueue, type Outcome } from "./commit-queue.ts";
import { Confirmations } from "./confirmations.ts";
import { Documents } from "./documents.ts";
import { HeaderIntake } from "./header-intake.ts";
import { Incoming } from "./incoming.ts";
import { Intake } from "./intake.ts";
import { Backfill } from "./keep/backfill.ts";
import { AuthorRoom } from "./keep/author-room.ts";
import { Pruning } from "./keep/pruning.ts";
import { statementKey } from "./keys.ts";
import { cutoffsOf, type CutoffRequest } from "./limits/cutoffs.ts";
import { EndedRights } from "./limits/ended-rights.ts";
import { Freezes } from "./limits/freezes.ts";
import { ForkWatch } from "./limits/fork-watch.ts";
import { Limits } from "./limits/limits.ts";
import { previewCut, type ChangedRecord, type CutRequest } from "./limits/preview.ts";
import { loadLogs } from "./load.ts";
import { OwnLogs } from "./own/own-logs.ts";
import { Positions, positionsOf, type LogFact } from "./positions.ts";
import { checkChange, versionsFor, type RecordChange } from "./record-change.ts";
import { Quarantine } from "./quarantine.ts";
import { RefusalLog, tellingRefusals } from "./refusal-log.ts";
import type { HeaderReception, Reception, Replica } from "./replica.ts";
import { createReplica } from "./state-replica.ts";
import { keepTwice, mendCopies } from "./second-copies.ts";
import { sealEntries } from "./sealed-entries.ts";
import { Shelf } from "./shelf.ts";
import { StateError } from "./state-error.ts";
import { StatementGate } from "./statement-gate.ts";
import { StatementBook } from "./statement-book.ts";
import {
  parkedLogs,
  troublesOf,
  type KeptFacts,
  type ParkedLog,
  type Troubles,
} from "./troubles.ts";
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
  /** What one author may take of store and memory. Default: 256 MiB. */
  readonly authorRoomBytes?: number;
}

export class State {
  readonly siteId: SiteId;
  readonly replica: Replica;
  readonly #setup: StateSetup;
  readonly #queue: CommitQueue;
  readonly #book: StatementBook;
  readonly #shelf = new Shelf();
  readonly #documents: Documents;
  readonly #limits: Limits;
  readonly #kept: KeptFacts;
  readonly #rights: EndedRights;
  readonly #headers: HeaderIntake;
  readonly #incoming: Incoming;
  readonly #positions = new Positions();
  readonly #confirmations = new Confirmations();
  readonly #views = new ViewCache();
  readonly #announcer: Announcer;
  readonly #gate = new StatementGate((open, from) => {
    return this.#queue.enqueue(() => this.#addStatements(open(), from));
  });
  #own: OwnLogs | undefined;

  /** Reads the store. Works before there is a mesh: then only statements can be added. */
  static async open(given: StateSetup): Promise<State> {
    const { log } = given;
    const store = keepTwice(sealEntries(given.store, log));
    await mendCopies(store, log);
    const setup = { ...given, store };
    const book = await StatementBook.open(store, log);
    const quarantine = await Quarantine.open(store, log);
    const state = new State(setup, book, quarantine, await Freezes.open(store));
    await state.#load();
    // A version that knows more rules than the one before it may have something to say.
    const due = dueAcknowledgement(book.set, book.authority, setup.siteKey);
    if (due !== undefined) await state.addStatements([due]);
    return state;
  }

  private constructor(
    setup: StateSetup,
    book: StatementBook,
    quarantine: Quarantine,
    freezes: Freezes,
  ) {
    const { store, log, siteKey, clock } = setup;
    const [shelf, positions, views] = [this.#shelf, this.#positions, this.#views];
    const siteId = idOf<SiteId>(siteKey.publicKey);
    const announcer = new Announcer(log);
    const queue = new CommitQueue(store, quarantine, () => announcer.announce());
    const authority = (): Authority => book.authority;
    const refusals = new RefusalLog(log, clock, authority);
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
    const prove = (proof: ForkProofBody): Promise<Outcome<unknown>> => this.#prove(proof);
    const telling = { positions, views, announcer, prove };
    this.#setup = setup;
    this.#book = book;
    this.siteId = siteId;
    this.#announcer = announcer;
    this.#queue = queue;
    this.#documents = documents;
    this.#limits = limits;
    this.#headers = new HeaderIntake({ shelf, queue, room, forks, limits });
    this.#kept = { shelf, room, quarantine };
    this.#rights = rights;
    this.#incoming = new Incoming({ siteId, book, shelf, intake, pruning, ...telling });
    const replica = createReplica({
      store,
      statements: book.set,
      positions,
      shelf,
      confirmations: this.#confirmations,
      onNew: (listener) => announcer.onItem(listener),
      receiveStatement: (statement, from) => this.#receiveStatement(statement, from),
      isKnown: ({ id, log: name, header: { seq } }) => {
        const durable = positions.get(name)?.seq ?? 0;
        return seq <= durable && shelf.get(name)?.idAt(seq) === id;
      },
      isAuthorKnown: (site) => {
        const { sites, endedSites } = book.authority;
        return sites.has(site) || endedSites.has(site);
      },
      receiveHeader: (header) => this.#receiveHeader(header),
      receiveEnvelope: (envelope, from) => this.#receiveEnvelope(envelope, from),
    });
    this.replica = tellingRefusals(replica, refusals);
  }

  async #load(): Promise<void> {
    const { store, clock, log } = this.#setup;
    const { meshId } = this;
    if (meshId === undefined) return;
    await loadLogs(store, this.#shelf, meshId, clock.wallMs(), log, ({ header }) =>
      this.#incoming.lamport.note(header.lamport, header.author === this.siteId),
    );
    for (const held of this.#shelf.all()) {
      this.#limits.begin(held, this.#book.authority);
    }
    await this.#limits.dropUseless();
    for (const name of this.#shelf.lineages()) this.#shelf.judgeAnew(name);
    const counting = [...this.#shelf.all()].filter((held) => this.#shelf.counts(held));
    await buildAtStart(store, counting, log, async (held) => {
      held.document = await this.#documents.at(held, held.seq);
    });
    for (const name of this.#shelf.lineages()) {
      await this.#documents.settle(name);
      this.#positions.set(name, positionsOf(this.#shelf, name));
    }
    for (const held of this.#shelf.all()) this.#kept.room.measure(held);
    await this.#rights.refresh(this.#book.authority);
  }

  get meshId(): MeshId | undefined {
    return this.#book.set.meshId;
  }

  authority(): Authority {
    return this.#book.authority;
  }

  /** Whether a peer may be linked: a member, or one that a damaged store still says is enrolled. */
  mayLink(peer: PeerKey): boolean {
    return this.#book.mayLink(peer);
  }

  /** The merged picture of what is here now; it does not change under the reader. */
  view(): View {
    return this.#views.view(this.#shelf, this.#rights, this.#book.authority);
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
   * @throws StateError E-STATE-NO-MESH, E-STATE-RULES, E-STATE-RIGHT, E-STATE-VALUE, E-STATE-FULL
   */
  write(changes: readonly RecordChange[]): Promise<WriteResult> {
    return this.#queue.enqueue(() => this.#write(changes));
  }

  /** Tells of changes after they are durable. Returns what ends the telling. */
  subscribe(listener: (event: StateEvent) => void): () => void {
    return this.#announcer.onEvent(listener);
  }

  /** The logs that count: those that say something that no other log has taken up. */
  logHeads(): readonly LogFact[] {
    return this.#positions.all();
  }

  /**
   * Where the logs of a site end as they are shown, or ended before a time: the heads that a
   * statement names which ends them there.
   */
  cutoffs(site: SiteId, request: CutoffRequest = {}): readonly LogHead[] {
    return cutoffsOf(this.#shelf, site, request);
  }

  /** Which records would be shown otherwise if the logs of a site ended at these heads. */
  previewCut(request: CutRequest): Promise<readonly ChangedRecord[]> {
    const shelf = this.#shelf;
    return this.#queue.enqueue(async () => {
      const held = { shelf, documents: this.#documents, rights: this.#rights };
      const now = { authority: this.authority(), view: this.view() };
      return { publish: () => {}, result: await previewCut({ ...held, ...now }, request) };
    });
  }

  /** What is stored of suspended sites and not shown. */
  parked(): readonly ParkedLog[] {
    return parkedLogs(this.#shelf);
  }

  /** What people have to look after. */
  troubles(): Troubles {
    return troublesOf(this.#book.authority, this.siteId, this.#kept);
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
    const before = this.#book.authority;
    const { added, waiting, refused, changes } = this.#book.add(statements, from);
    const result = { added: added.map(({ id }) => id), waiting, refused };
    this.#queue.stage(changes);
    if (added.length === 0) return { publish: () => {}, result };
    // Before anything is durable: what was accepted until now is what a suspension leaves shown.
    this.#limits.remember(before, this.#book.authority);
    const acknowledged = await this.#acknowledge();
    this.#views.forgetAll();
    const touched = await this.#limits.apply(this.#book.authority);
    const now = [...touched].map((name) => [name, positionsOf(this.#shelf, name)] as const);
    const woken = await this.#incoming.takeWaiting();
    const publish = (): void => {
      for (const [name, counting] of now) this.#positions.set(name, counting);
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
    const reception = await this.#gate.receive(statement, from);
    this.#replaceDisplaced(undefined);
    return reception;
  }

  async #receiveEnvelope(envelope: Envelope, from: SiteId): Promise<Reception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    const job = (): Promise<Outcome<Reception>> => this.#incoming.take(envelope, from);
    const reception = await this.#queue.enqueue(job, envelope.id);
    this.#replaceDisplaced(envelope.header.author);
    return reception;
  }

  async #receiveHeader(signed: SignedHeader): Promise<HeaderReception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    return this.#queue.enqueue(async (): Promise<Outcome<HeaderReception>> => {
      const taken = await this.#headers.take(signed, this.#book.authority);
      if (typeof taken !== "object" || "refused" in taken) {
        return { publish: () => {}, result: taken };
      }
      const { publish } = await this.#prove(taken.forked);
      return { publish, result: "forked" };
    });
  }

  #prove(proof: ForkProofBody): Promise<Outcome<AddResult>> {
    return this.#addStatements([signStatement(proof, [])], undefined);
  }

  async #write(changes: readonly RecordChange[]): Promise<Outcome<WriteResult>> {
    const { siteId } = this;
    const own = this.#ownLogs();
    for (const change of changes) checkChange(change, siteId, this.#book.authority);
    const lamport = this.#incoming.lamport.next();
    if (lamport + changes.length > MAX_LAMPORT) throw usedUp();
    const made = versionsFor(changes, { siteId, lamport, shelf: this.#shelf, view: this.view() });
    const { publish, result: entries } = await this.#takeOwn(own.sign(made));
    const versions = made.flatMap(({ class: recordClass, records }) =>
      records.map(([key, version]) => versionId(siteId, recordClass, key, version)),
    );
    return { publish, result: { versions, entries } };
  }

  async #takeOwn(envelopes: Iterable<Envelope>): Promise<Outcome<WriteResult["entries"]>> {
    const outcomes: Outcome<Reception>[] = [];
    const entries: WriteResult["entries"][number][] = [];
    for (const envelope of envelopes) {
      const outcome = await this.#incoming.takeOne(envelope, undefined);
      // A bug of ours: what was taken before it in this write is not to be relied on either.
      if (outcome.result !== "accepted" && outcome.result !== "parked")
        throw new TypeError(`own entry ${envelope.id} is unfit`);
      outcomes.push(outcome);
      entries.push({ class: envelope.header.class, log: envelope.log, seq: envelope.header.seq });
    }
    const publish = (): void => outcomes.forEach((outcome) => outcome.publish());
    return { publish, result: entries };
  }

  /** @throws StateError E-STATE-NO-MESH */
  #ownLogs(): OwnLogs {
    const { meshId, siteId } = this;
    if (meshId === undefined) throw noMesh();
    if (this.#book.authority.rules > KNOWN_RULES) throw laterRules(this.#book.authority.rules);
    const { siteKey, clock } = this.#setup;
    const shelf = this.#shelf;
    const epoch = (): StatementId | MeshId => this.#book.authority.epoch.ids[0] ?? meshId;
    this.#own ??= new OwnLogs(shelf, { siteKey, siteId, meshId, clock, epoch });
    return this.#own;
  }

  /**
   * Writes what stood in a log of ours that another box with this key has displaced into a new
   * one at once: what people see here must not wait for the next change to come back.
   */
  #replaceDisplaced(author: SiteId | undefined): void {
    const own = this.#own;
    if (own === undefined || (author !== undefined && author !== this.siteId)) return;
    if (own.displaced().length === 0) return;
    const replaced = this.#queue.enqueue(() => {
      const { rules, ...authority } = this.#book.authority;
      const maySign = rules <= KNOWN_RULES && authority.isMember(this.siteId);
      if (!maySign || !authority.mayOpenLogs(this.siteId)) return this.#takeOwn([]);
      return this.#takeOwn(own.replaceDisplaced(this.#incoming.lamport.next()));
    });
    replaced.catch((error: unknown) => {
      this.#setup.log.error("a displaced log was not replaced", { error: String(error) });
    });
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

function noMesh(): StateError {
  return new StateError("E-STATE-NO-MESH", "This site is in no mesh yet.", {
    hint: "Run: pleach init, or pleach join CODE",
  });
}
