/**
 * Keeps what cannot be judged yet, in bounded memory.
 *
 * Entries wait for the one before them or for the enrolment of their author. What does not fit is
 * refused: replication asks for it again.
 */
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { EnvelopeId, LogId, SiteId } from "../../protocol/ids.ts";

/** All that waits, in bytes of envelopes. */
const MAX_BYTES = 4 * 1024 * 1024;
/** What one peer may make us keep, in bytes. */
const MAX_PEER_BYTES = 1024 * 1024;
/** Each envelope counts at least this much, for its frame in memory. */
const LEAST_COST_BYTES = 1024;

interface Waiting {
  readonly envelope: Envelope;
  readonly from: SiteId;
  readonly costBytes: number;
}

export class WaitingRoom {
  /** An author can sign several entries for one place: none of them may keep the others out. */
  readonly #byLog = new Map<LogId, Map<EnvelopeId, Waiting>>();
  readonly #byPeer = new Map<SiteId, number>();
  #bytes = 0;

  /** Keeps an entry. False: there is no room for it. */
  keep(envelope: Envelope, from: SiteId): boolean {
    const row = this.#byLog.get(envelope.log) ?? new Map<EnvelopeId, Waiting>();
    if (row.has(envelope.id)) return true;
    const costBytes = Math.max(envelope.bytes.length, LEAST_COST_BYTES);
    const peerBytes = (this.#byPeer.get(from) ?? 0) + costBytes;
    if (this.#bytes + costBytes > MAX_BYTES || peerBytes > MAX_PEER_BYTES) return false;
    row.set(envelope.id, { envelope, from, costBytes });
    this.#byLog.set(envelope.log, row);
    this.#byPeer.set(from, peerBytes);
    this.#bytes += costBytes;
    return true;
  }

  /** Whether this very entry waits already. */
  has({ log, id }: Envelope): boolean {
    return this.#byLog.get(log)?.has(id) ?? false;
  }

  /** Takes out one entry; nothing happens when it does not wait. */
  remove({ log, id }: Envelope): void {
    const row = this.#byLog.get(log);
    const waiting = row?.get(id);
    if (row === undefined || waiting === undefined) return;
    row.delete(id);
    if (row.size === 0) this.#byLog.delete(log);
    this.#bytes -= waiting.costBytes;
    const rest = (this.#byPeer.get(waiting.from) ?? 0) - waiting.costBytes;
    if (rest > 0) this.#byPeer.set(waiting.from, rest);
    else this.#byPeer.delete(waiting.from);
  }

  /** Takes out the entries at one place of a log. */
  take(log: LogId, seq: number): { envelope: Envelope; from: SiteId }[] {
    const row = [...(this.#byLog.get(log)?.values() ?? [])];
    const there = row.filter(({ envelope }) => envelope.header.seq === seq);
    for (const { envelope } of there) this.remove(envelope);
    return there;
  }

  /** Takes out everything, in the order of logs and places. */
  takeAll(): { envelope: Envelope; from: SiteId }[] {
    const all = [...this.#byLog.values()].flatMap((row) =>
      [...row.values()].toSorted((a, b) => a.envelope.header.seq - b.envelope.header.seq),
    );
    for (const { envelope } of all) this.remove(envelope);
    return all;
  }
}
