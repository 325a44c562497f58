/**
 * Which sites have said that they hold what this node holds.
 *
 * Kept in memory only: after a start an entry counts as provisional until somebody says it again.
 */
import type { LogId, SiteId } from "../../protocol/ids.ts";

export class Confirmations {
  readonly #byLog = new Map<LogId, Map<SiteId, number>>();

  /** A site holds the log up to `seq`. */
  note(log: LogId, seq: number, by: SiteId): void {
    const row = this.#byLog.get(log) ?? new Map<SiteId, number>();
    row.set(by, Math.max(seq, row.get(by) ?? 0));
    this.#byLog.set(log, row);
  }

  /** Who holds an entry, sorted. */
  of(log: LogId, seq: number): readonly SiteId[] {
    return [...(this.#byLog.get(log) ?? [])]
      .filter(([, held]) => held >= seq)
      .map(([site]) => site)
      .toSorted();
  }
}
