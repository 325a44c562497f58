/** Gathers what `pleach status` judges about members, decisions and what was signed. */
import { KNOWN_RULES } from "../../protocol/statements/epoch-statement.ts";
import type { OperatorId, SiteId } from "../../protocol/ids.ts";
import { RECORD_CLASSES } from "../../protocol/logs/record-class.ts";
import { isChained } from "../../protocol/statements/statement.ts";
import type { SignerId } from "../../protocol/statements/statement-head.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { MemberFacts, StateFacts } from "../core/status/status-members.ts";
import type { State } from "../state/state.ts";

/** Digits of an id that people read and type. */
const SHORT = 8;

export function memberFacts(state: State): MemberFacts {
  const authority = state.authority();
  const { epoch, operators, threshold, proposals, suspensions, forks } = authority;
  const voters = new Map(
    epoch.parents.flatMap((parent) => [...parent.operators].map(([key, { name }]) => [key, name])),
  );
  return {
    self: authority.endedSites.get(state.siteId)?.ended.kind ?? "member",
    sites: authority.sites.size,
    operators: operators.size,
    threshold,
    epoch: epoch.n,
    contested: epoch.contested ? epoch.ids.map((id) => id.slice(0, SHORT)) : [],
    proposals: proposals
      .filter(({ status }) => status === "open")
      .map(({ id, body, votes, needed }) => ({
        id: id.slice(0, SHORT),
        epoch: body.n,
        votes: votes.length,
        needed,
        missing: [...voters].filter(([key]) => !votes.includes(key)).map(([, name]) => name),
      })),
    suspended: [...new Set(suspensions.map(({ key }) => key))].map((key) => ({
      name: nameOf(authority, key),
      kind: authority.operators.has(key as OperatorId) ? ("operator" as const) : ("site" as const),
      by: suspensions
        .filter((each) => each.key === key)
        .map(({ by }) => nameOf(authority, by))
        .join(", "),
      parked: parkedEntries(state, key),
    })),
    forkedSigners: [...new Set(forks.map(({ by }) => nameOf(authority, by)))],
    unknownRules: authority.rules > KNOWN_RULES ? authority.rules : undefined,
    // This version knows none: it is the first.
    unknownFeatures: [...authority.features].toSorted(),
  };
}

export function stateFacts(state: State): StateFacts {
  const authority = state.authority();
  const view = state.view();
  const { doubled, forked, overQuota, quarantined } = state.troubles();
  const namesOf = (sites: Iterable<SiteId>): string[] => [
    ...new Set([...sites].map((site) => nameOf(authority, site))),
  ];
  return {
    doubled: namesOf(doubled),
    forked: namesOf(forked.map(({ site }) => site)),
    overQuota: namesOf(overQuota),
    quarantined,
    conflicts: RECORD_CLASSES.reduce((sum, each) => sum + view.conflicts(each).length, 0),
  };
}

/** Entries of a suspended site that are not shown, or statements of an operator without effect. */
function parkedEntries(state: State, key: SiteId | OperatorId): number {
  const entries = state
    .parked()
    .filter(({ site }) => site === key)
    .reduce((sum, { seq, shownSeq }) => sum + seq - shownSeq, 0);
  const { idle } = state.authority();
  const statements = state
    .statements()
    .filter(
      ({ id, body }) => isChained(body) && body.by === key && idle.get(id)?.startsWith("parked"),
    );
  return entries + statements.length;
}

function nameOf(authority: Authority, key: SignerId | SiteId): string {
  return (
    authority.operators.get(key as OperatorId)?.name ??
    (authority.sites.get(key as SiteId) ?? authority.endedSites.get(key as SiteId))?.name ??
    [...authority.owners.values()].find(({ sign }) => (sign as string) === key)?.name ??
    key.slice(0, SHORT)
  );
}
