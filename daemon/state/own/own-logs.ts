/**
 * Makes this site's own entries.
 *
 * At its first entry after each start, a site opens a new log for a part, with a snapshot that
 * takes up the state of those before it. So nothing has to be remembered from the process before,
 * and a box that was put back to an older image cannot sign one place twice.
 */
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import type { LineageName } from "../held-log.ts";
import { MAX_LIVE_LOGS, type Shelf } from "../shelf.ts";
import { StateError } from "../state-error.ts";
import { goesOn, hasDouble, laterThan, lostOf } from "./left-behind.ts";
import { OpenLog, type Signer } from "./open-log.ts";
import type { Change, OwnPart } from "./own-part.ts";
import { planEntries, type ClassChanges } from "./plan-entries.ts";
import { takeUp, type Surroundings } from "./take-up.ts";

/** Beyond these a log gets a new snapshot before its next update; see protocol/document-limits. */
const SNAPSHOT_AFTER_UPDATES = 400;
const SNAPSHOT_AFTER_BYTES = 256 * 1024;

export class OwnLogs {
  readonly #shelf: Shelf;
  readonly #signer: Signer;
  readonly #open = new Map<LineageName, OpenLog>();

  constructor(shelf: Shelf, signer: Signer) {
    this.#shelf = shelf;
    this.#signer = signer;
  }

  /**
   * Signs entries that set these versions. Whoever takes them has to put each on the shelf
   * before it asks for the next.
   *
   * @param changes - Their Lamport numbers ascend within a class.
   * @throws StateError E-STATE-FULL when no part has room, E-STATE-FORKED when so many boxes write
   *   a part with this key that nobody would show it; nothing is signed then.
   */
  *sign(changes: readonly ClassChanges[]): Generator<Envelope, void> {
    const plan = planEntries(this.#shelf, this.#signer.siteId, changes);
    for (const { of } of plan) this.#checkShows(of);
    for (const { of, changes: slice } of plan) {
      const first = slice[0]?.[1].lamport ?? 1;
      const open = yield* this.#logFor(of, first - 1);
      yield open.update(slice);
    }
  }

  /**
   * Parts whose open log others have taken up, ended or dropped since it was opened, so that records
   * in it do not show any more: another box with this key, or a box put back to an older image.
   * Where nothing is lost nothing is done: two boxes must not open logs by turns for ever.
   */
  displaced(): OwnPart[] {
    return [...this.#open.values()]
      .filter((open) => !goesOn(this.#shelf, open) && this.#lostOf(open).length > 0)
      .map(({ of }) => of);
  }

  /** Opens new logs for those, with everything that would be lost with the old ones. */
  *replaceDisplaced(lamport: number): Generator<Envelope, void> {
    for (const of of this.displaced()) yield* this.#logFor(of, lamport);
  }

  /**
   * The log that the next update of a part goes into, after a snapshot if it needs one.
   *
   * @param lamport - Of the snapshot.
   */
  *#logFor(of: OwnPart, lamport: number): Generator<Envelope, OpenLog> {
    const shelf = this.#shelf;
    const last = this.#open.get(of.lineage);
    const current = last !== undefined && goesOn(shelf, last) ? last : undefined;
    if (current !== undefined && !this.#wantsSnapshot(current)) return current;
    const next =
      current !== undefined && laterThan(shelf, current).length > 0 ? undefined : current;
    const around = next === undefined ? this.#aroundNew(last) : aroundNext(next);
    const content = takeUp(shelf, this.#signer.siteId, of, around);
    const open = next ?? new OpenLog(this.#signer, of, lamport);
    yield open.snapshot(content, lamport);
    this.#open.set(of.lineage, open);
    return open;
  }

  /** @param last - The log that this process wrote until now. */
  #aroundNew(last: OpenLog | undefined): Surroundings {
    if (last === undefined) return { current: undefined, lost: [], beside: [], first: undefined };
    const beside = hasDouble(this.#shelf, last) ? laterThan(this.#shelf, last) : [];
    return { current: undefined, lost: this.#lostOf(last), beside, first: last.log };
  }

  /** A write that is acknowledged has to show, on this box at least. */
  #checkShows(of: OwnPart): void {
    if (!this.#shelf.isCrowded(of.lineage)) return;
    const around = this.#aroundNew(this.#open.get(of.lineage));
    if (takeUp(this.#shelf, this.#signer.siteId, of, around).live < MAX_LIVE_LOGS) return;
    const message = "So many boxes write with the key of this site that a write would not show.";
    const hint = "Stop all boxes but one that run as this site.";
    throw new StateError("E-STATE-FORKED", message, { hint, exit: 5 });
  }

  #lostOf(open: OpenLog): readonly Change[] {
    return lostOf(this.#shelf, this.#signer.siteId, open);
  }

  #wantsSnapshot({ log }: OpenLog): boolean {
    const document = this.#shelf.get(log)?.document;
    if (document === undefined) return true;
    return (
      document.updates >= SNAPSHOT_AFTER_UPDATES || document.updateBytes >= SNAPSHOT_AFTER_BYTES
    );
  }
}

function aroundNext({ log }: OpenLog): Surroundings {
  return { current: log, lost: [], beside: [], first: log };
}
