/**
 * The replicated state of this node: statements, logs, and what they add up to.
 *
 * Everything that a promise resolves with is durable: it survives kill -9 and a power cut. What
 * is in memory can be rebuilt from the store, and the store from peers.
 */
import type { Envelope } from "../../protocol/envelope.ts";
import type { ForkProofBody } from "../../protocol/fork-proof-statement.ts";
import { idOf, type LogId, type MeshId, type PeerKey, type SiteId } from "../../protocol/ids.ts";
import type { LogHead } from "../../protocol/log-head.ts";
import type { SignedHeader } from "../../protocol/signed-header.ts";
import type { SigningKey } from "../../protocol/signature.ts";
import type { SignedStatement } from "../../protocol/statement.ts";
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
import { cutoffsOf, type CutoffRequest } from "./limits/cutoffs.ts";
import { EndedRights } from "./limits/ended-rights.ts";
import { Freezes } from "./limits/freezes.ts";
import { ForkWatch } from "./limits/fork-watch.ts";
import { Limits } from "./limits/limits.ts";
import { previewCut, type ChangedRecord, type CutRequest } from "./limits/preview.ts";
import { loadLogs } from "./load.ts";
import { OwnWrites, type WriteResult } from "./own/own-writes.ts";
import { Positions, positionsOf, type LogFact } from "./positions.ts";
import type { RecordChange } from "./record-change.ts";
import { Quarantine } from "./quarantine.ts";
import { RefusalLog, tellingRefusals } from "./refusal-log.ts";
import type { HeaderReception, Reception, Replica } from "./replica.ts";
import { createReplica } from "./state-replica.ts";
import { keepTwice, mendCopies } from "./second-copies.ts";
import { sealEntries } from "./sealed-entries.ts";
import { Shelf } from "./shelf.ts";
import { noMesh } from "./state-error.ts";
import { StatementGate } from "./statement-gate.ts";
import { StatementBook } from "./statement-book.ts";
import { StatementIntake, type AddResult } from "./statement-intake.ts";
import {
  parkedLogs,
  troublesOf,
  type KeptFacts,
  type ParkedLog,
  type Troubles,
} from "./troubles.ts";
import { ViewCache } from "./view-cache.ts";

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
    return this.#queue.enqueue(() => this.#statements.add(open(), from));
  });
  readonly #own: OwnWrites;
  readonly #statements: StatementIntake;

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
    const telling = { positions, views, announcer };
    const taking = { siteKey, queue, book, shelf, limits, ...telling };
    const takeWaiting = (): Promise<readonly Outcome<unknown>[]> => incoming.takeWaiting();
    const statements = new StatementIntake({ ...taking, takeWaiting });
    const prove = (proof: ForkProofBody): Promise<Outcome<unknown>> => statements.prove(proof);
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
    const incoming = new Incoming({ siteId, book, shelf, intake, pruning, prove, ...telling });
    this.#incoming = incoming;
    this.#statements = statements;
    const view = (): View => this.view();
    this.#own = new OwnWrites({ siteKey, clock, log, book, shelf, queue, incoming, view });
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
        const held = shelf.get(name);
        // One that others of the same stretch hang on is looked at again with them.
        const isWhole = held?.stretchWith(seq) === undefined;
        return seq <= durable && held?.idAt(seq) === id && isWhole;
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
    return this.#queue.enqueue(() => this.#statements.add(statements, undefined));
  }

  /**
   * Writes own records: all of the changes or none.
   *
   * @throws StateError E-STATE-NO-MESH, E-STATE-RULES, E-STATE-RIGHT, E-STATE-VALUE, E-STATE-FULL
   */
  write(changes: readonly RecordChange[]): Promise<WriteResult> {
    return this.#queue.enqueue(() => this.#own.write(changes));
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

  async #receiveStatement(statement: SignedStatement, from: SiteId): Promise<Reception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    if (this.#book.set.get(statement.id) !== undefined) return "known";
    const reception = await this.#gate.receive(statement, from);
    this.#own.replaceDisplaced(undefined);
    return reception;
  }

  async #receiveEnvelope(envelope: Envelope, from: SiteId): Promise<Reception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    const job = (): Promise<Outcome<Reception>> => this.#incoming.take(envelope, from);
    const reception = await this.#queue.enqueue(job, envelope.id);
    this.#own.replaceDisplaced(envelope.header.author);
    return reception;
  }

  async #receiveHeader(signed: SignedHeader): Promise<HeaderReception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    return this.#queue.enqueue(async (): Promise<Outcome<HeaderReception>> => {
      const taken = await this.#headers.take(signed, this.#book.authority);
      if (typeof taken !== "object" || "refused" in taken) {
        return { publish: () => {}, result: taken };
      }
      const { publish } = await this.#statements.prove(taken.forked);
      return { publish, result: "forked" };
    });
  }
}
