/**
 * The replicated state of this node: statements, logs, and what they add up to.
 *
 * Everything that a promise resolves with is durable: it survives kill -9 and a power cut. What
 * is in memory can be rebuilt from the store, and the store from peers.
 */
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { LogId, MeshId, PeerKey, SiteId } from "../../protocol/ids.ts";
import type { LogHead } from "../../protocol/logs/log-head.ts";
import type { SignedHeader } from "../../protocol/logs/signed-header.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";
import type { ChainHead, SignerId } from "../../protocol/statements/statement-head.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { CountedLog } from "../core/logs/counted-log.ts";
import type { View } from "../core/logs/view.ts";
import { dueAcknowledgement } from "./acknowledge.ts";
import type { StateEvent } from "./announcer.ts";
import type { Outcome } from "./commit-queue.ts";
import { cutoffsOf, type CutoffRequest } from "./limits/cutoffs.ts";
import { Freezes } from "./limits/freezes.ts";
import { previewCut, type ChangedRecord, type CutRequest } from "./limits/preview.ts";
import type { WriteResult } from "./own/own-writes.ts";
import type { RecordChange } from "./record-change.ts";
import { Quarantine } from "./quarantine.ts";
import { tellingRefusals } from "./refusal-log.ts";
import type { HeaderReception, Reception, Replica } from "./replica.ts";
import { assembleParts, type StateParts, type StateSetup } from "./state-parts.ts";
import { putBack } from "./put-back.ts";
import { createReplica } from "./state-replica.ts";
import { keepTwice, mendCopies } from "./second-copies.ts";
import { sealEntries } from "./sealed-entries.ts";
import { noMesh } from "./state-error.ts";
import { StatementGate } from "./statement-gate.ts";
import { StatementBook } from "./statement-book.ts";
import type { AddResult } from "./statement-intake.ts";
import { parkedLogs, troublesOf, type ParkedLog, type Troubles } from "./troubles.ts";

export class State {
  readonly siteId: SiteId;
  readonly replica: Replica;
  readonly #parts: StateParts;
  readonly #gate = new StatementGate((open, from) => {
    return this.#parts.queue.enqueue(() => this.#parts.statements.add(open(), from));
  });

  /** Reads the store. Works before there is a mesh: then only statements can be added. */
  static async open(given: StateSetup): Promise<State> {
    const { log } = given;
    const store = keepTwice(sealEntries(given.store, log));
    await mendCopies(store, log);
    const book = await StatementBook.open(store, log);
    const quarantine = await Quarantine.open(store, log);
    const beginnings = { book, quarantine, freezes: await Freezes.open(store) };
    const parts = assembleParts({ ...given, store }, beginnings);
    const state = new State(parts);
    const { meshId } = book.set;
    if (meshId !== undefined) await putBack(parts, meshId);
    // A version that knows more rules than the one before it may have something to say.
    const due = dueAcknowledgement(book.set, book.authority, given.siteKey);
    if (due !== undefined) await state.addStatements([due]);
    return state;
  }

  private constructor(parts: StateParts) {
    const { store, book, positions, shelf, confirmations, announcer, refusals } = parts;
    this.#parts = parts;
    this.siteId = parts.siteId;
    const replica = createReplica({
      store,
      statements: book.set,
      positions,
      shelf,
      confirmations,
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

  get meshId(): MeshId | undefined {
    return this.#parts.book.set.meshId;
  }

  authority(): Authority {
    return this.#parts.book.authority;
  }

  /** Whether a peer may be linked: a member, or one that a damaged store still says is enrolled. */
  mayLink(peer: PeerKey): boolean {
    return this.#parts.book.mayLink(peer);
  }

  /** The merged picture of what is here now; it does not change under the reader. */
  view(): View {
    return this.#parts.view();
  }

  /** All statements that are kept, in the order of their arrival. */
  statements(): readonly SignedStatement[] {
    return this.#parts.book.set.all();
  }

  /**
   * What the next statement of an operator or owner has to carry.
   *
   * @throws StateError E-STATE-NO-MESH
   */
  chainHead(by: SignerId): ChainHead {
    const head = this.#parts.book.set.chainHead(by);
    if (head === undefined) throw noMesh();
    return head;
  }

  /** Takes in statements in any order; resolves when the added ones are durable. */
  addStatements(statements: readonly SignedStatement[]): Promise<AddResult> {
    return this.#parts.queue.enqueue(() => this.#parts.statements.add(statements, undefined));
  }

  /**
   * Writes own records: all of the changes or none.
   *
   * @throws StateError E-STATE-NO-MESH, E-STATE-RULES, E-STATE-RIGHT, E-STATE-VALUE, E-STATE-FULL,
   *   E-STATE-FORKED when too many boxes with the key of this site write beside it
   */
  write(changes: readonly RecordChange[]): Promise<WriteResult> {
    return this.#parts.queue.enqueue(() => this.#parts.own.write(changes));
  }

  /** Tells of changes after they are durable. Returns what ends the telling. */
  subscribe(listener: (event: StateEvent) => void): () => void {
    return this.#parts.announcer.onEvent(listener);
  }

  /** The logs that count: those that say something that no other log has taken up. */
  logHeads(): readonly CountedLog[] {
    return this.#parts.positions.all();
  }

  /**
   * Where the logs of a site end as they are shown, or ended before a time: the heads that a
   * statement names which ends them there.
   */
  cutoffs(site: SiteId, request: CutoffRequest = {}): readonly LogHead[] {
    return cutoffsOf(this.#parts.shelf, site, request);
  }

  /** Which records would be shown otherwise if the logs of a site ended at these heads. */
  previewCut(request: CutRequest): Promise<readonly ChangedRecord[]> {
    const shelf = this.#parts.shelf;
    return this.#parts.queue.enqueue(async () => {
      const held = { shelf, documents: this.#parts.documents, rights: this.#parts.rights };
      const now = { authority: this.authority(), view: this.view() };
      return { publish: () => {}, result: await previewCut({ ...held, ...now }, request) };
    });
  }

  /** What is stored of suspended sites and not shown. */
  parked(): readonly ParkedLog[] {
    return parkedLogs(this.#parts.shelf);
  }

  /** What people have to look after. */
  troubles(): Troubles {
    return troublesOf(this.#parts.book.authority, this.siteId, this.#parts.kept);
  }

  /** Which other sites have said, since this start, that they hold an entry. */
  confirmedBy(entry: { readonly log: LogId; readonly seq: number }): readonly SiteId[] {
    return this.#parts.confirmations.of(entry.log, entry.seq);
  }

  /**
   * Sites that have two logs of one part side by side: two boxes run with one key, or a box was
   * put back to an older image and has not written since.
   */
  doubledSites(): ReadonlySet<SiteId> {
    return this.#parts.shelf.doubled();
  }

  /** Waits for what is under way, then refuses everything. The store stays open. */
  close(): Promise<void> {
    return this.#parts.queue.close();
  }

  async #receiveStatement(statement: SignedStatement, from: SiteId): Promise<Reception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    if (this.#parts.book.set.get(statement.id) !== undefined) return "known";
    const reception = await this.#gate.receive(statement, from);
    this.#parts.own.replaceDisplaced(undefined);
    return reception;
  }

  async #receiveEnvelope(envelope: Envelope, from: SiteId): Promise<Reception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    const job = (): Promise<Outcome<Reception>> => this.#parts.incoming.take(envelope, from);
    const reception = await this.#parts.queue.enqueue(job, envelope.id);
    this.#parts.own.replaceDisplaced(envelope.header.author);
    return reception;
  }

  async #receiveHeader(signed: SignedHeader): Promise<HeaderReception> {
    if (this.meshId === undefined) return { refused: "E-STATE-NO-MESH" };
    return this.#parts.queue.enqueue(async (): Promise<Outcome<HeaderReception>> => {
      const taken = await this.#parts.headers.take(signed, this.#parts.book.authority);
      if (typeof taken !== "object" || "refused" in taken) {
        return { publish: () => {}, result: taken };
      }
      const { publish } = await this.#parts.statements.prove(taken.forked);
      return { publish, result: "forked" };
    });
  }
}
