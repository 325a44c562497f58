/**
 * The content of an EPOCH for what somebody wants to change; all else stays as it is.
 */
import {
  MAX_EPOCH_UNSUSPENDS,
  type EpochBody,
} from "../../../protocol/statements/epoch-statement.ts";
import type { OperatorId, SiteId, StatementId } from "../../../protocol/ids.ts";
import { isUnknown } from "../../../protocol/statements/statement.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import { UsageError } from "../shell/exit.ts";
import type { MeshKnowledge } from "./mesh-knowledge.ts";

type Operator = EpochBody["operators"][number];
export type EpochContent = Omit<EpochBody, "v" | "mesh" | "by" | "seq" | "prev" | "lamport">;

export interface EpochChange {
  readonly add?: readonly Operator[];
  readonly drop?: readonly OperatorId[];
  /** For a dropped operator: the last of its statements that counts. Default: the last known. */
  readonly lastCounting?: { readonly seq: number; readonly head: StatementId };
  /** Default: it stays a majority if it was one, and as it was if not. */
  readonly threshold?: number;
  /** Default: the keys that no epoch that counts has removed. */
  readonly recovery?: EpochBody["recovery"];
  readonly revokes?: EpochBody["revokes"];
  readonly unsuspends?: readonly StatementId[];
}

/** More than half. */
function majorityOf(operators: number): number {
  return Math.floor(operators / 2) + 1;
}

/** @throws UsageError for what no epoch can be: no operator left, a threshold above their number. */
export function epochContent(mesh: MeshKnowledge, change: EpochChange): EpochContent {
  const { epoch, features, rules } = mesh.authority;
  const dropped = new Set(change.drop);
  const gone = goneKeys(mesh);
  const all = [...votersOf(mesh)]
    .filter(([key]) => !gone.has(key))
    .map(([key, name]) => ({ key, name }));
  const next = [...all.filter(({ key }) => !dropped.has(key)), ...(change.add ?? [])];
  if (next.length === 0) {
    throw new UsageError(
      "A mesh cannot be without operators.",
      "Add another one first:  pleach operators add FILE.pub",
    );
  }
  const decideBy = change.threshold ?? usualThreshold(mesh, next.length);
  if (decideBy > next.length) {
    throw new UsageError(`${decideBy} signatures cannot come from ${next.length} operators.`);
  }
  return {
    kind: "EPOCH",
    n: epoch.n + 1,
    parents: epoch.ids.toSorted(),
    operators: next,
    threshold: decideBy,
    recovery: change.recovery ?? usualRecovery(mesh, gone),
    features: [...features].toSorted(),
    rules,
    chains: chainsOf(mesh, dropped, change.lastCounting),
    revokes: [...(change.revokes ?? [])],
    unsuspends: [...(change.unsuspends ?? [])],
  };
}

/** A majority where each epoch before has one; else the most that one of them asks for. */
function usualThreshold({ authority }: MeshKnowledge, operators: number): number {
  const { parents } = authority.epoch;
  if (parents.every((each) => each.threshold === majorityOf(each.operators.size))) {
    return majorityOf(operators);
  }
  return Math.min(operators, Math.max(...parents.map(({ threshold }) => threshold)));
}

/** Of several epochs: all recovery keys that none of them removed. */
function usualRecovery(
  { authority }: MeshKnowledge,
  gone: ReadonlySet<string>,
): EpochBody["recovery"] {
  const { parents } = authority.epoch;
  const all = new Set(parents.flatMap(({ recovery }) => recovery.keys));
  const keys = [...all].filter((key) => !gone.has(key));
  const most = Math.max(...parents.map(({ recovery }) => recovery.threshold));
  return { keys, threshold: Math.min(keys.length, most) };
}

/** Operators and recovery keys that one of the epochs that count has dropped. */
function goneKeys({ statements, authority }: MeshKnowledge): ReadonlySet<string> {
  const epochs = new Map<
    string,
    { readonly parents: readonly string[]; readonly keys: readonly string[] }
  >();
  for (const { id, body } of statements) {
    if (isUnknown(body) || (body.kind !== "GENESIS" && body.kind !== "EPOCH")) continue;
    const parents = body.kind === "EPOCH" ? body.parents : [];
    const keys = [...body.operators.map(({ key }) => key), ...body.recovery.keys];
    epochs.set(id, { parents, keys });
  }
  const gone = new Set<string>();
  for (const { id, operators, recovery } of authority.epoch.parents) {
    const kept = new Set<string>([...operators.keys(), ...recovery.keys]);
    const before = [...(epochs.get(id)?.parents ?? [])];
    const seen = new Set<string>();
    for (let at = before.pop(); at !== undefined; at = before.pop()) {
      const epoch = epochs.get(at);
      if (epoch === undefined || seen.has(at)) continue;
      seen.add(at);
      before.push(...epoch.parents);
      for (const key of epoch.keys) if (!kept.has(key)) gone.add(key);
    }
  }
  return gone;
}

/** Where the chains of the operators of all parents end. */
function chainsOf(
  mesh: MeshKnowledge,
  dropped: ReadonlySet<OperatorId>,
  lastCounting: EpochChange["lastCounting"],
): EpochBody["chains"] {
  return [...votersOf(mesh).keys()].map((by) => {
    if (lastCounting !== undefined && dropped.has(by)) return { by, ...lastCounting };
    const { seq, prev } = mesh.headOf(by);
    return { by, seq: seq - 1, head: prev };
  });
}

/** Who may vote for the next epoch: while several count, the operators of any of them. */
export function votersOf({ authority }: MeshKnowledge): ReadonlyMap<OperatorId, string> {
  const all = authority.epoch.parents.flatMap(({ operators }) => [...operators]);
  return new Map(all.map(([key, { name }]) => [key, name]));
}

/**
 * The open suspensions that expelling a key ends: those of the key, and those by which it held up
 * other operators. Sites that it suspended stay so: somebody else has to look at them.
 */
export function suspensionsAround(mesh: MeshKnowledge, key: SignerId | SiteId): StatementId[] {
  const { suspensions, operators } = mesh.authority;
  return suspensions
    .filter((each) => {
      const ofOperator = operators.has(each.key as OperatorId);
      return (each.key as string) === key || ((each.by as string) === key && ofOperator);
    })
    .map(({ id }) => id)
    .slice(0, MAX_EPOCH_UNSUSPENDS);
}

/** The open suspensions of a key. */
export function suspensionsOf(mesh: MeshKnowledge, key: SignerId | SiteId): StatementId[] {
  return mesh.authority.suspensions
    .filter((each) => (each.key as string) === key)
    .map(({ id }) => id);
}
