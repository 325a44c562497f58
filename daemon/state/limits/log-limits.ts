/**
 * Ends logs where authority ends them: at the heads of revoked, replaced and left sites, and where
 * an author forked a log.
 *
 * What is held beyond a limit stays in the store, because authority can change back while epochs
 * are contested, but it counts nowhere. Where another branch is held than the one that a limit names,
 * the log is dropped, and replication brings it again under the limit.
 */
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import type { Authority } from "../../core/authority/authority.ts";
import type { HeldLog, LogLimit } from "../held-log.ts";
import type { Shelf } from "../shelf.ts";

/** How far a log may count; nothing of whom no statement enrols. */
export function limitOf(authority: Authority, author: SiteId, log: LogId): LogLimit {
  if (!authority.sites.has(author) && !authority.endedSites.has(author)) return "none";
  return authority.logLimit(author, log);
}

/**
 * Sets the limits of all logs anew.
 *
 * @returns The logs that have another one now; of some of them another branch may be held.
 */
export function limitLogs(shelf: Shelf, authority: Authority): readonly HeldLog[] {
  const changed: HeldLog[] = [];
  for (const held of shelf.all()) {
    const limit = limitOf(authority, held.author, held.log);
    if (sameLimit(limit, held.limit)) continue;
    held.limit = limit;
    shelf.judgeAnew(held.lineage);
    changed.push(held);
  }
  return changed;
}

function sameLimit(a: LogLimit, b: LogLimit): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return a.seq === b.seq && a.head === b.head;
}
