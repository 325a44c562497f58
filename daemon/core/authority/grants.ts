/**
 * Who may write shared classes, and what stays of rights that were taken back.
 */
import type { LogId, OperatorId, SiteId, StatementId } from "../../../protocol/ids.ts";
import { isSharedClass } from "../../../protocol/logs/record-class.ts";
import type { EndedGrant, Grant, LogEnd } from "./authority.ts";
import type { Decision, Decisions, OperatorRights } from "./decisions.ts";
import { headMap, lowest } from "../logs/log-ends.ts";

export interface Grants {
  readonly grants: readonly Grant[];
  readonly endedGrants: readonly EndedGrant[];
}

/**
 * @param isEnrolled - Whether a key is or was that of a site.
 * @param idle - Gets the reason for each statement that has no effect.
 */
export function computeGrants(
  decisions: Decisions,
  rights: OperatorRights,
  isEnrolled: (site: SiteId) => boolean,
  idle: Map<StatementId, string>,
): Grants {
  const given = new Map<StatementId, Grant>();
  for (const { id, body } of decisions.of("GRANT")) {
    const { site, class: granted, selector } = body;
    const objection = rights.objection(id, body.by);
    if (objection !== undefined) idle.set(id, objection);
    else if (!isEnrolled(site)) idle.set(id, "the site is not enrolled");
    else if (!isSharedClass(granted)) {
      idle.set(id, `this version knows no shared class ${granted}`);
    } else {
      const operator = body.by as OperatorId;
      given.set(id, { site, class: granted, selector, operator, statement: id });
    }
  }
  const ended = new Map<StatementId, ReadonlyMap<LogId, LogEnd>>();
  for (const ungrant of decisions.of("UNGRANT")) {
    const objection = rights.objection(ungrant.id, ungrant.body.by) ?? end(ungrant, given, ended);
    if (objection !== undefined) idle.set(ungrant.id, objection);
  }
  const grants = [...given.values()].filter(({ statement }) => !ended.has(statement));
  return { grants, endedGrants: remains(given, ended, grants) };
}

function end(
  { body }: Decision<"UNGRANT">,
  given: ReadonlyMap<StatementId, Grant>,
  ended: Map<StatementId, ReadonlyMap<LogId, LogEnd>>,
): string | undefined {
  const grants = body.ends.flatMap((id) => given.get(id) ?? []);
  const [first] = grants;
  if (first === undefined) return "what it ends gives no right";
  if (grants.some((each) => each.site !== first.site || each.class !== first.class)) {
    return "it ends rights of several sites or classes";
  }
  const heads = headMap(body.heads);
  for (const { statement } of grants) {
    const before = ended.get(statement);
    ended.set(statement, before === undefined ? heads : lowest(before, heads));
  }
  return undefined;
}

/** Of rights that were given and taken back several times, all counts that one of them let count. */
function remains(
  given: ReadonlyMap<StatementId, Grant>,
  ended: ReadonlyMap<StatementId, ReadonlyMap<LogId, LogEnd>>,
  grants: readonly Grant[],
): readonly EndedGrant[] {
  const all = new Map<string, EndedGrant & { readonly heads: Map<LogId, LogEnd> }>();
  for (const [id, heads] of ended) {
    const grant = given.get(id);
    if (grant === undefined) continue;
    const { site, class: granted, selector } = grant;
    const anew = grants.some((each) => {
      const covers = each.selector === null || each.selector === selector;
      return each.site === site && each.class === granted && covers;
    });
    if (anew) continue;
    const key = `${site} ${granted} ${selector === null ? "" : `/${selector}`}`;
    const remaining = all.get(key) ?? { site, class: granted, selector, heads: new Map() };
    all.set(key, remaining);
    for (const [log, head] of heads) {
      const known = remaining.heads.get(log);
      if (known === undefined || known.seq < head.seq) remaining.heads.set(log, head);
    }
  }
  return [...all.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
