/**
 * Gathers what was pruned of a log and is wanted again, because statements name a place in it.
 *
 * Nothing of it is taken before it is whole: it begins with a snapshot of which the header was kept
 * and ends with an entry that a statement names, or right before another snapshot, whose header names
 * the last entry. So no entry that the author signed beside the history that was pruned comes in. A
 * node that is stopped asks for it again.
 */
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import type { LogId } from "../../../protocol/ids.ts";
import { decodeSignedHeader } from "../../../protocol/logs/signed-header.ts";
import { LogDocument } from "../../core/logs/log-document.ts";
import type { Store } from "../../core/store.ts";
import type { HeldLog } from "../held-log.ts";
import { headerKey } from "../keys.ts";

/**
 * All that is gathered at a time; what was begun first makes room. An honest snapshot with the updates
 * up to the next one has less than 2 MiB, the longest that is admitted 13.
 */
const MAX_BYTES = 16 * 1024 * 1024;

export class Backfill {
  readonly #store: Store;
  readonly #flush: () => Promise<void>;
  readonly #begun = new Map<LogId, Envelope[]>();

  /** @param flush - Writes what is staged: headers are read from the store. */
  constructor(store: Store, flush: () => Promise<void>) {
    this.#store = store;
    this.#flush = flush;
  }

  /**
   * @param isNamed - Whether a statement names this entry.
   * @returns The whole stretch, when this entry is the last one of it.
   */
  async add(
    held: HeldLog,
    envelope: Envelope,
    isNamed: boolean,
  ): Promise<readonly Envelope[] | undefined> {
    const { id, log, header } = envelope;
    const { seq, prev } = header;
    const stretch = held.stretchWith(seq);
    if (stretch === undefined) return undefined;
    const { from, to, first } = stretch;
    if (seq === from && id === first) this.#begin(log);
    const begun = this.#begun.get(log);
    if (begun === undefined) return undefined;
    if (begun[seq - from]?.id === id) return undefined;
    if (seq > from && begun[seq - from - 1]?.id !== prev) return undefined;
    begun.splice(seq - from, Infinity, envelope);
    this.#makeRoom();
    if ((seq < to && !isNamed) || !this.#begun.delete(log)) return undefined;
    return isNamed || (await this.#isBefore(held, to + 1, id)) ? begun : undefined;
  }

  #begin(log: LogId): void {
    const before = this.#begun.get(log) ?? [];
    this.#begun.delete(log);
    this.#begun.set(log, before);
  }

  #makeRoom(): void {
    let sizeBytes = 0;
    for (const [log, entries] of [...this.#begun].toReversed()) {
      sizeBytes += entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
      if (sizeBytes > MAX_BYTES) this.#begun.delete(log);
    }
  }

  async #isBefore(held: HeldLog, seq: number, id: Envelope["id"]): Promise<boolean> {
    await this.#flush();
    const bytes = await this.#store.get(headerKey(held.log, seq));
    return bytes !== undefined && decodeSignedHeader(bytes).header.prev === id;
  }
}

/** A snapshot, and updates of which each fits those before it. */
export function isSoundStretch([snapshot, ...updates]: readonly Envelope[]): boolean {
  if (snapshot?.header.kind !== "SNAP") return false;
  const document = LogDocument.start(snapshot);
  if (typeof document === "string") return false;
  for (const update of updates) {
    // What a later version put here ends what this one can build.
    if (update.header.kind !== "UPD") return true;
    if (document.apply(update) !== undefined) return false;
  }
  return true;
}
