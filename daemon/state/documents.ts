/**
 * Builds the documents of logs from the entries in the store, where they are needed.
 */
import { readStoredEnvelope, type Envelope } from "../../protocol/logs/envelope.ts";
import { LogDocument } from "../core/logs/log-document.ts";
import type { Store } from "../core/store.ts";
import type { HeldLog, LineageName } from "./held-log.ts";
import { entriesFrom } from "./keys.ts";
import type { Shelf } from "./shelf.ts";

export class Documents {
  readonly #store: Store;
  readonly #shelf: Shelf;
  readonly #flush: () => Promise<void>;
  /** A log whose document is here though none of it counts: more entries of it may come. */
  #idle: HeldLog | undefined;

  /** @param flush - Writes what is staged: documents are built from the store. */
  constructor(store: Store, shelf: Shelf, flush: () => Promise<void>) {
    this.#store = store;
    this.#shelf = shelf;
    this.#flush = flush;
  }

  /**
   * The document of a log at one of its entries. Undefined when no snapshot is held up to there, and
   * when the store no longer has what is needed.
   */
  async at(held: HeldLog, seq: number): Promise<LogDocument | undefined> {
    const start = held.snapshotBefore(seq)?.seq;
    if (start === undefined || held.isShut) return undefined;
    await this.#flush();
    let document: LogDocument | undefined;
    for await (const [, bytes] of this.#store.entries(entriesFrom(held.log, start))) {
      const envelope = readStoredEnvelope(bytes);
      if (envelope.header.seq > seq) break;
      // What a later version put after this shows with the next snapshot.
      const { kind } = envelope.header;
      if (kind !== "SNAP" && kind !== "UPD") break;
      document = step(document, envelope);
      if (document === undefined) return undefined;
    }
    return document;
  }

  /** The document to which the next entry of a log is added. */
  async toContinue(held: HeldLog): Promise<LogDocument | undefined> {
    held.document ??= await this.at(held, held.seq);
    if (!this.#shelf.counts(held) && this.#idle !== held) {
      const before = this.#idle;
      if (before !== undefined && !this.#shelf.counts(before)) before.document = undefined;
      this.#idle = held;
    }
    return held.document;
  }

  /** Builds what a lineage needs and lets go of the rest, after it was judged anew. */
  async settle(name: LineageName): Promise<void> {
    for (const held of this.#shelf.lineage(name)) {
      const [counts, shown] = [this.#shelf.counts(held), this.#shelf.counts(held, "shown")];
      const isFrozen = held.shownSeq < held.seq;
      if (!counts && (!shown || isFrozen)) held.document = undefined;
      else held.document ??= await this.at(held, held.seq);
      if (!shown || !isFrozen) held.frozenDocument = undefined;
      else held.frozenDocument ??= await this.at(held, held.shownSeq);
    }
  }

  /** Throws away what was built of a log that ends elsewhere now. */
  forget(held: HeldLog): void {
    held.document = undefined;
    held.frozenDocument = undefined;
  }
}

/** The document after one more entry; undefined when the entry does not fit it. */
function step(document: LogDocument | undefined, envelope: Envelope): LogDocument | undefined {
  if (envelope.header.kind === "SNAP") {
    const started = LogDocument.start(envelope);
    return typeof started === "string" ? undefined : started;
  }
  return document?.apply(envelope) === undefined ? document : undefined;
}
