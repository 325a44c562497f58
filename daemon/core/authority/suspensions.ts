/**
 * Which SUSPENDs are open, and which statements they hold up.
 *
 * Nobody lifts a suspension of the own key. What decides about keys (EPOCH, VOTE, SUSPEND, UNSUSPEND)
 * is never held up, so nobody is silenced out of a vote.
 */
import type { OperatorId, SiteId, StatementId } from "../../../protocol/ids.ts";
import {
  isChained,
  isUnknown,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import type { Suspension } from "./authority.ts";
import type { Decisions, OperatorRights } from "./decisions.ts";
import type { SoundEpoch } from "./epochs.ts";
import type { StatementIndex } from "./statement-index.ts";

/** @param idle - Gets the reason for each that has no effect. */
export function openSuspensions(
  decisions: Decisions,
  rights: OperatorRights,
  tips: readonly SoundEpoch[],
  idle: Map<StatementId, string>,
): readonly Suspension[] {
  const ended = new Map<StatementId, Set<string>>();
  for (const { id, body } of decisions.of("UNSUSPEND")) {
    const objection = rights.objection(id, body.by);
    if (objection !== undefined) {
      idle.set(id, objection);
      continue;
    }
    for (const each of body.ends) {
      const by = ended.get(each) ?? new Set();
      ended.set(each, by.add(body.by));
    }
  }
  return decisions.of("SUSPEND").flatMap(({ id, body }) => {
    const objection = rights.objection(id, body.by);
    if (objection !== undefined) {
      idle.set(id, objection);
      return [];
    }
    const others = [...(ended.get(id) ?? [])].some((by) => by !== (body.key as string));
    if (others || tips.every(({ unsuspended }) => unsuspended.has(id))) return [];
    const { key, logs, chain } = body;
    return [{ id, key, by: body.by as OperatorId, logs, chain }];
  });
}

/** What a suspended operator cannot do. */
const HELD_UP: ReadonlySet<string> = new Set(["SITE", "OWNER", "GRANT", "UNGRANT"]);

/** Whether a statement that comes only now waits until the suspensions of its signer end. */
export function isHeldUp(
  { id, body }: SignedStatement,
  suspensions: readonly Suspension[],
  index: StatementIndex,
): boolean {
  if (isUnknown(body) || !isChained(body) || !HELD_UP.has(body.kind)) return false;
  return suspensions.some(({ key, chain }) => {
    if (key !== (body.by as string as SiteId)) return false;
    return chain === null || !index.pathTo(chain.head).has(id);
  });
}
