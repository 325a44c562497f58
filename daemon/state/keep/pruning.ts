/**
 * Lets go of entries and logs that nobody needs any more.
 *
 * How long something stays is measured by this node's own clock from when it came, so what an
 * author or a wrong clock says changes no view: only entries go that snapshots held here cover, and
 * only logs that counting ones have taken up whole. What authority may still refer to stays.
 */
import { encodeCbor } from "../../../protocol/encoding/cbor.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import type { Clock } from "../../core/clock.ts";
import { latestFirst } from "../../core/logs/lineage.ts";
import type { Store, StoreChange } from "../../core/store.ts";
import type { CommitQueue } from "../commit-queue.ts";
import type { HeldLog, LineageName } from "../held-log.ts";
import { entryKey, headersFrom, receivedKey } from "../keys.ts";
import type { Freezes } from "../limits/freezes.ts";
import type { Shelf } from "../shelf.ts";
import type { AuthorRoom } from "./author-room.ts";

/**
 * Entries older than the last two snapshots, and logs that were taken up, stay so long, so that
 * a revocation which names one of them as the last that counts can still be carried out.
 */
const RETENTION_MS = 90 * 24 * 3600 * 1000;

interface PruningSetup {
  readonly store: Store;
  readonly shelf: Shelf;
  readonly room: AuthorRoom;
  readonly clock: Clock;
  readonly queue: CommitQueue;
  readonly freezes: Freezes;
}

export class Pruning {
  readonly #setup: PruningSetup;
  readonly #touched = new Set<LineageName>();

  constructor(setup: PruningSetup) {
    this.#setup = setup;
  }

  /** Lets go of what is old enough in a lineage, after it got a snapshot. */
  async tidy(name: LineageName): Promise<void> {
    await this.#tidy(name, this.#setup.clock.wallMs() - RETENTION_MS);
  }

  /** Lets go of all that may go of an author, however young. */
  async press(author: SiteId): Promise<void> {
    for (const name of this.#setup.shelf.lineagesBy(author)) await this.#tidy(name, Infinity);
  }

  /** Lineages of which something went since this was asked last. */
  takeTouched(): Set<LineageName> {
    const touched = new Set(this.#touched);
    this.#touched.clear();
    return touched;
  }

  /** Takes a log off the shelf and out of the store. */
  async drop(held: HeldLog): Promise<void> {
    const { shelf, room, queue, store, freezes } = this.#setup;
    shelf.remove(held);
    this.#touched.add(held.lineage);
    room.release(held);
    const changes: StoreChange[] = [freezes.forget(held.log)];
    for (let seq = held.firstSeq; seq > 0 && seq <= held.storedSeq; seq++) {
      if (held.idAt(seq) === undefined) continue;
      changes.push({ kind: "delete", key: entryKey(held.log, seq) });
    }
    await queue.flush();
    for await (const [key] of store.entries(headersFrom(held.log, 0))) {
      changes.push({ kind: "delete", key });
    }
    for (const { seq } of held.knownSnapshots()) {
      changes.push({ kind: "delete", key: receivedKey(held.log, seq) });
    }
    queue.stage(changes);
  }

  async #tidy(name: LineageName, beforeMs: number): Promise<void> {
    const { shelf } = this.#setup;
    for (const held of shelf.lineage(name)) {
      if (shelf.counts(held) || this.#isPinned(held)) this.#prune(held, beforeMs);
      else if (held.storedSeq > 0 && this.#isTakenUp(held, beforeMs)) await this.drop(held);
    }
  }

  /** Whether a log that counts has taken this one up, and both came long enough ago. */
  #isTakenUp(held: HeldLog, beforeMs: number): boolean {
    if (held.limit === "none") return false;
    const { shelf } = this.#setup;
    const newest = held.heldSnapshots().at(-1);
    if (newest === undefined || newest.receivedMs >= beforeMs) return false;
    const { word } = newest;
    return shelf.counting(held.lineage).some(({ held: other }) => {
      const [first] = other.heldSnapshots();
      if (first === undefined || first.receivedMs >= beforeMs) return false;
      return latestFirst({ log: other.log, word: first.word }, { log: held.log, word }) < 0;
    });
  }

  #isPinned(held: HeldLog): boolean {
    const isNamed = typeof held.limit === "object" || (held.frozenSeq ?? 0) > 0;
    return isNamed || held.pins.length > 0;
  }

  #prune(held: HeldLog, beforeMs: number): void {
    const { queue, room } = this.#setup;
    const keptFrom = held.keptFrom(beforeMs);
    if (keptFrom <= held.firstSeq) return;
    this.#touched.add(held.lineage);
    for (const { seq, isSnapshot } of held.prune(keptFrom)) {
      queue.stage([{ kind: "delete", key: entryKey(held.log, seq) }]);
      if (isSnapshot) queue.stage([{ kind: "delete", key: receivedKey(held.log, seq) }]);
    }
    room.measure(held);
  }
}

/** What is stored of when a snapshot came. */
export function encodeReceived(wallMs: number): Uint8Array {
  return encodeCbor(Math.max(0, Math.trunc(wallMs)));
}
