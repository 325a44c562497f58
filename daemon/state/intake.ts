/**
 * Admits entries to the logs of this node, foreign and own ones by the same checks.
 *
 * The order: form and signature (protocol/envelope.ts), mesh, author, cutoff, place in the log,
 * then the document. What has to be written is staged; the caller publishes it when it is durable.
 */
import type { Envelope } from "../../protocol/envelope.ts";
import type { Clock } from "../core/clock.ts";
import type { Authority } from "../core/authority.ts";
import { LogDocument, type DocumentRefusal } from "../core/log-document.ts";
import type { Store } from "../core/store.ts";
import type { CommitQueue } from "./commit-queue.ts";
import { cutoffOf } from "./cutoff.ts";
import { HeldLog, lineageOf } from "./held-log.ts";
import { entryKey, markKey } from "./keys.ts";
import type { Quarantine } from "./quarantine.ts";
import { rebuildDocument } from "./rebuild.ts";
import type { RefusalLog } from "./refusal-log.ts";
import type { Shelf } from "./shelf.ts";

/** Unretired logs of one lineage that are kept at all; only four of them count. */
const MAX_KEPT_LOGS = 16;

/**
 * Entries older than the last two snapshots stay so long, so that a revocation which names one of
 * them as the last that counts can still be carried out.
 */
const RETENTION_MS = 90 * 24 * 3600 * 1000;

export type IntakeRefusal =
  | "E-STATE-MESH"
  | "E-STATE-RIGHT"
  | "E-STATE-FORK"
  | "E-STATE-LIMIT"
  | "E-STATE-CONTENT"
  | "E-STATE-QUARANTINE";

export type IntakeResult =
  | { readonly kind: "accepted" | "parked"; readonly held: HeldLog }
  | { readonly kind: "known" }
  /** Waits for the entry before it, or for the enrolment of its author. */
  | { readonly kind: "waiting" }
  | { readonly kind: "refused"; readonly reason: IntakeRefusal };

export class Intake {
  readonly #store: Store;
  readonly #shelf: Shelf;
  readonly #refusals: RefusalLog;
  readonly #quarantine: Quarantine;
  readonly #clock: Clock;
  readonly #queue: CommitQueue;

  constructor(o: {
    readonly store: Store;
    readonly shelf: Shelf;
    readonly refusals: RefusalLog;
    readonly quarantine: Quarantine;
    readonly clock: Clock;
    readonly queue: CommitQueue;
  }) {
    this.#store = o.store;
    this.#shelf = o.shelf;
    this.#refusals = o.refusals;
    this.#quarantine = o.quarantine;
    this.#clock = o.clock;
    this.#queue = o.queue;
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
    const place = this.#judgePlace(envelope, authority, again);
    if (place !== "next") return place;
    const held = this.#shelf.get(envelope.log) ?? new HeldLog(envelope.log, envelope.header);
    const refusal =
      origin === "own"
        ? await this.#apply(held, envelope)
        : await this.#applyMarked(held, envelope);
    if (refusal !== undefined) {
      this.#refusals.unfit(envelope, refusal);
      this.#queue.stage(this.#quarantine.add(envelope));
      held.unfitSeq = envelope.header.seq;
      return refused("E-STATE-CONTENT");
    }
    if (this.#shelf.get(held.log) === undefined) this.#shelf.add(held);
    held.append(envelope);
    this.#shelf.noteRetirements(held);
    const { header, log, bytes } = envelope;
    this.#queue.stage([{ kind: "put", key: entryKey(log, header.seq), value: bytes }]);
    if (header.kind === "SNAP") this.#prune(held);
    const mayCount = authority.mayWriteClass(header.author, header.class);
    return { kind: mayCount ? "accepted" : "parked", held };
  }

  #judgePlace(envelope: Envelope, authority: Authority, again: boolean): IntakeResult | "next" {
    const { header, id, log } = envelope;
    if (header.mesh !== authority.meshId) return refused("E-STATE-MESH");
    if (this.#quarantine.has(id)) return refused("E-STATE-QUARANTINE");
    const held = this.#shelf.get(log);
    // Each costs building the document anew; signing many for one place must not cost it many times.
    if (held?.unfitSeq === header.seq) return refused("E-STATE-QUARANTINE");
    const ended = authority.endedSites.get(header.author);
    if (ended === undefined && !authority.sites.has(header.author)) return { kind: "waiting" };
    const seq = held?.seq ?? 0;
    if (header.seq <= seq) {
      const known = held?.idAt(header.seq);
      // What lies before the oldest snapshot held is covered by it.
      return known === undefined || known === id ? { kind: "known" } : refused("E-STATE-FORK");
    }
    if (ended !== undefined) {
      const named = { log, author: header.author, lineage: lineageOf(header) };
      const cutoff = cutoffOf(named, authority, this.#shelf);
      if (cutoff === undefined || header.seq > cutoff.seq) return refused("E-STATE-RIGHT");
      if (header.seq === cutoff.seq && id !== cutoff.head) return refused("E-STATE-FORK");
    }
    if (header.seq === seq + 1) {
      if (seq > 0 && header.prev !== held?.head) return refused("E-STATE-FORK");
    } else if (header.kind !== "SNAP" || (seq > 0 && !again)) {
      // The first entry held of a log may be any snapshot: it stands for all before it.
      return { kind: "waiting" };
    }
    return held === undefined && this.#isCrowded(envelope) ? refused("E-STATE-LIMIT") : "next";
  }

  #isCrowded({ header }: Envelope): boolean {
    const row = this.#shelf.lineage(lineageOf(header));
    return row.filter((held) => this.#shelf.retiredSeq(held) === 0).length >= MAX_KEPT_LOGS;
  }

  #prune(held: HeldLog): void {
    const gone = held.prune(this.#clock.wallMs() - RETENTION_MS);
    this.#queue.stage(gone.map((seq) => ({ kind: "delete", key: entryKey(held.log, seq) })));
  }

  /**
   * A process that dies of an entry leaves a mark to the next one. Cached writes are enough for
   * that, and a process that is killed at any other moment leaves none.
   */
  async #applyMarked(held: HeldLog, envelope: Envelope): Promise<DocumentRefusal | undefined> {
    const deaths = this.#quarantine.deaths(envelope.id);
    const key = markKey(envelope.id);
    await this.#store.write([{ kind: "put", key, value: Uint8Array.of(deaths) }], "cached");
    try {
      return await this.#apply(held, envelope);
    } finally {
      await this.#store.write([{ kind: "delete", key }], "cached");
    }
  }

  /** On a refusal the document is thrown away, because it may be half changed. */
  async #apply(held: HeldLog, envelope: Envelope): Promise<DocumentRefusal | undefined> {
    if (envelope.header.kind === "SNAP") {
      const started = LogDocument.start(envelope);
      if (typeof started === "string") return started;
      held.document = started;
      return undefined;
    }
    if (envelope.header.kind !== "UPD" || held.isObscured) return undefined;
    if (held.document === undefined) {
      await this.#queue.flush();
      held.document = await rebuildDocument(this.#store, held);
    }
    // Not the entry's fault: what the store has lost is found and fetched at the next start.
    if (held.document === undefined) throw new Error(`the store has lost entries of ${held.log}`);
    const refusal = held.document.apply(envelope);
    if (refusal === undefined) return undefined;
    held.document = undefined;
    await this.#queue.flush();
    if (this.#shelf.isLive(held)) held.document = await rebuildDocument(this.#store, held);
    return refusal;
  }
}

function refused(reason: IntakeRefusal): IntakeResult {
  return { kind: "refused", reason };
}
