/**
 * Where the logs of a site end: what a statement names that ends them there.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import type { ClassName } from "../../../protocol/logs/record-class.ts";
import { judgeLineage } from "../../core/logs/lineage.ts";
import type { Shelf } from "../shelf.ts";

export interface CutoffRequest {
  /** Default: all. */
  readonly classes?: readonly ClassName[] | undefined;
  /**
   * The last entries signed before this, by the author's clock, which may lie. Default: the last
   * ones that are shown.
   */
  readonly sinceMs?: number | undefined;
}

/**
 * The ends of the logs that say something of their own, sorted by log.
 *
 * Of an earlier time these are other logs than now, as far as they are still held: one that was
 * taken up since said then what it had to say itself.
 */
export function cutoffsOf(shelf: Shelf, site: SiteId, request: CutoffRequest): LogHead[] {
  const { classes, sinceMs } = request;
  const heads: LogHead[] = [];
  for (const name of shelf.lineagesBy(site)) {
    const ends = shelf.lineage(name).flatMap((held) => {
      if (classes !== undefined && !classes.includes(held.class)) return [];
      const seq = sinceMs === undefined ? held.shownSeq : held.lastBefore(sinceMs);
      const [word, head] = [held.snapshotBefore(seq)?.word, held.idAt(seq)];
      return word === undefined || head === undefined ? [] : [{ log: held.log, seq, word, head }];
    });
    const judged = judgeLineage(ends);
    for (const { log, seq, head } of ends) {
      if (seq > (judged.get(log)?.seq ?? 0)) heads.push({ log, seq, head });
    }
  }
  return heads.toSorted((a, b) => (a.log < b.log ? -1 : 1));
}
