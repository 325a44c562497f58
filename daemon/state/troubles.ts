/**
 * What is not as it should be among the logs of a mesh, as far as this node can tell.
 */
import { KNOWN_RULES } from "../../protocol/statements/epoch-statement.ts";
import type { LogId, SiteId } from "../../protocol/ids.ts";
import type { ClassName } from "../../protocol/logs/record-class.ts";
import type { Authority, EndedSite, ForkedLog } from "../core/authority/authority.ts";
import type { AuthorRoom } from "./keep/author-room.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Shelf } from "./shelf.ts";

/** Entries of a suspended site that are stored and passed on, and not shown. */
export interface ParkedLog {
  readonly site: SiteId;
  readonly class: ClassName;
  readonly log: LogId;
  /** The last entry that is shown; 0: none is. */
  readonly shownSeq: number;
  readonly seq: number;
}

export interface Troubles {
  /** Logs of which their authors signed two histories. */
  readonly forked: readonly { readonly log: LogId; readonly site: SiteId }[];
  /** Sites that write in two logs of one part: two boxes run with one key, or did. */
  readonly doubled: readonly SiteId[];
  /** Sites whose room here is full: newer entries of theirs are refused by this node. */
  readonly overQuota: readonly SiteId[];
  /** Unfit entries that are kept as evidence or ended this process, and logs that ended its starts. */
  readonly quarantined: number;
  /** The mesh goes by rules that this version does not know: it stores and shows, and signs nothing. */
  readonly rulesUnknown: boolean;
  /** Why this site is no member any more. */
  readonly selfEnded: EndedSite["ended"] | undefined;
}

/** Where the facts come from. */
export interface KeptFacts {
  readonly shelf: Shelf;
  readonly room: AuthorRoom;
  readonly quarantine: Quarantine;
}

export function parkedLogs(shelf: Shelf): ParkedLog[] {
  return [...shelf.all()]
    .filter((held) => held.shownSeq < held.seq && shelf.counts(held))
    .map(({ author: site, class: name, log, shownSeq, seq }) => {
      return { site, class: name, log, shownSeq, seq };
    })
    .toSorted((a, b) => (a.log < b.log ? -1 : 1));
}

export function troublesOf(authority: Authority, self: SiteId, kept: KeptFacts): Troubles {
  const named = ([log, { author }]: readonly [LogId, ForkedLog]) => ({ log, site: author });
  return {
    forked: [...authority.forkedLogs].map(named).toSorted((a, b) => (a.log < b.log ? -1 : 1)),
    doubled: [...kept.shelf.doubled()].toSorted(),
    overQuota: [...kept.room.full()].toSorted(),
    quarantined: kept.quarantine.size + [...kept.shelf.all()].filter(({ isShut }) => isShut).length,
    rulesUnknown: authority.rules > KNOWN_RULES,
    selfEnded: authority.endedSites.get(self)?.ended,
  };
}
