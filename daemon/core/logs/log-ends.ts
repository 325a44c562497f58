/**
 * Where logs end by decision: heads that several decisions name, and proven forks.
 */
import type { LogId, SiteId, StatementId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import { openForkProof } from "../../../protocol/statements/fork-proof-statement.ts";
import type { EndedSite, ForkedLog, LogEnd } from "../authority/authority.ts";
import type { Decisions } from "../authority/decisions.ts";

/** A key that forked so many logs is not to be trusted with another one. */
export const MAX_FORKED_LOGS = 8;

export function headMap(heads: readonly LogHead[]): Map<LogId, LogEnd> {
  return new Map(heads.map(({ log, seq, head }) => [log, { seq, head }]));
}

/** What both let count: logs that both name, each up to the lower end. */
export function lowest(
  a: ReadonlyMap<LogId, LogEnd>,
  b: ReadonlyMap<LogId, LogEnd>,
): Map<LogId, LogEnd> {
  const ends = new Map<LogId, LogEnd>();
  for (const [log, end] of a) {
    const other = b.get(log);
    if (other !== undefined) ends.set(log, lower(end, other));
  }
  return ends;
}

/** Of two heads at one place the lower id, so that all nodes take the same. */
function lower(a: LogEnd, b: LogEnd): LogEnd {
  if (a.seq !== b.seq) return a.seq < b.seq ? a : b;
  return a.head < b.head ? a : b;
}

/**
 * @param isEnrolled - Whether a key is or was that of a site.
 * @param idle - Gets the reason for each proof that has no effect.
 */
export function forkedLogs(
  decisions: Decisions,
  isEnrolled: (site: SiteId) => boolean,
  idle: Map<StatementId, string>,
): Map<LogId, ForkedLog> {
  const forks = new Map<LogId, ForkedLog>();
  for (const { id, body } of decisions.of("FORK_PROOF")) {
    const fork = openForkProof(body);
    if (fork === undefined || !isEnrolled(fork.author)) {
      idle.set(id, "its author is not enrolled");
      continue;
    }
    const { author, last } = fork;
    const next = { author, lastSeq: last?.seq ?? 0, lastHead: last?.head, proof: id };
    const known = forks.get(fork.log);
    if (known === undefined || leavesLess(next, known)) forks.set(fork.log, next);
  }
  return forks;
}

function leavesLess(a: ForkedLog, b: ForkedLog): boolean {
  return a.lastSeq === b.lastSeq ? a.proof < b.proof : a.lastSeq < b.lastSeq;
}

export interface LogLimits {
  logLimit(author: SiteId, log: LogId): "open" | "none" | LogEnd;
  mayOpenLogs(site: SiteId): boolean;
}

/**
 * Of a site with eight forked logs only those count, up to their forks, and what a decision that
 * ended the site names: statements alone do not tell which other logs are older than the theft.
 */
export function logLimits(
  endedSites: ReadonlyMap<SiteId, EndedSite>,
  forks: ReadonlyMap<LogId, ForkedLog>,
): LogLimits {
  const counts = new Map<SiteId, number>();
  for (const { author } of forks.values()) counts.set(author, (counts.get(author) ?? 0) + 1);
  const mayOpenLogs = (site: SiteId): boolean => (counts.get(site) ?? 0) < MAX_FORKED_LOGS;
  return {
    mayOpenLogs,
    logLimit(author, log) {
      const ended = endedSites.get(author);
      const named = ended?.heads.get(log);
      if (ended !== undefined && named === undefined) return "none";
      const fork = forks.get(log);
      if (fork !== undefined && fork.author === author) {
        if (fork.lastHead === undefined) return "none";
        const end = { seq: fork.lastSeq, head: fork.lastHead };
        // Where a decision names one branch at the fork's own place or before, it has the word.
        return named === undefined || end.seq < named.seq ? end : named;
      }
      return named ?? (mayOpenLogs(author) ? "open" : "none");
    },
  };
}
