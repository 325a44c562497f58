/**
 * Which EPOCHs have what it takes to count, and what each of them says together with all before it.
 *
 * Whether an epoch is sound depends on its parents and on its votes alone, never on who else wants
 * its place, so a later competitor cannot take that away. Votes are counted wherever they stand in
 * a chain: nobody is suspended or cut out of a vote. Which of several sound ones count is decided
 * in epoch-choice.ts.
 */
import type { EpochBody } from "../../../protocol/statements/epoch-statement.ts";
import type { GenesisBody } from "../../../protocol/statements/genesis.ts";
import type { MeshId, OperatorId, PeerKey, SiteId, StatementId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import { isUnknown, type SignedStatement } from "../../../protocol/statements/statement.ts";
import type { ChainPlace } from "./statement-index.ts";

export type EpochId = StatementId | MeshId;

/** A sound epoch with all that follows from it and those before it. GENESIS is number 0. */
export interface SoundEpoch {
  readonly id: EpochId;
  readonly n: number;
  /** Undefined for GENESIS. */
  readonly body: EpochBody | undefined;
  readonly parents: readonly SoundEpoch[];
  /** All before it. */
  readonly ancestors: ReadonlySet<EpochId>;
  readonly operators: ReadonlyMap<OperatorId, { readonly name: string }>;
  readonly threshold: number;
  readonly recovery: { readonly keys: readonly PeerKey[]; readonly threshold: number };
  readonly features: readonly string[];
  readonly rules: number;
  /** Who voted for it among those who could. */
  readonly votes: readonly SignerId[];
  /** Dropped operators, and the heads that their chains end at: the path to each of them counts. */
  readonly ends: ReadonlyMap<SignerId, readonly EpochId[]>;
  readonly revoked: ReadonlyMap<SiteId, readonly Revocation[]>;
  readonly unsuspended: ReadonlySet<StatementId>;
}

export interface Revocation {
  readonly epoch: StatementId;
  readonly logs: readonly LogHead[];
}

/** An EPOCH that is not sound: now (`open`) or ever (`invalid`). */
export interface UnsoundEpoch {
  readonly id: StatementId;
  readonly body: EpochBody;
  readonly votes: readonly SignerId[];
  /** The most votes of operators that one of its parents asks for. */
  readonly needed: number;
  readonly status: "open" | "invalid";
  readonly reason: string;
}

export interface Epochs {
  readonly genesis: SoundEpoch;
  readonly sound: ReadonlyMap<EpochId, SoundEpoch>;
  readonly unsound: ReadonlyMap<StatementId, UnsoundEpoch>;
}

/**
 * @param statements - Of one mesh; kinds other than EPOCH and VOTE are passed over.
 * @param isHere - Whether the statements of a dropped operator are known up to the end that an epoch
 *   names. Before they are, the epoch would cut more than it says, so it does not count.
 */
export function evaluateEpochs(
  genesis: { readonly id: MeshId; readonly body: GenesisBody },
  statements: Iterable<SignedStatement>,
  isHere: (end: ChainPlace) => boolean,
): Epochs {
  const root = rootOf(genesis.id, genesis.body);
  const sound = new Map<EpochId, SoundEpoch>([[root.id, root]]);
  const unsound = new Map<StatementId, UnsoundEpoch>();
  const proposed: { id: StatementId; body: EpochBody }[] = [];
  const votes = new Map<StatementId, Set<SignerId>>();
  for (const { id, body } of statements) {
    if (isUnknown(body)) continue;
    if (body.kind === "EPOCH") {
      proposed.push({ id, body });
      noteVote(votes, id, body.by);
    } else if (body.kind === "VOTE") noteVote(votes, body.epoch, body.by);
  }
  // A parent has a lower number, so it is judged before its children.
  proposed.sort((a, b) => a.body.n - b.body.n || (a.id < b.id ? -1 : 1));
  for (const { id, body } of proposed) {
    const judged = judge(id, body, [...(votes.get(id) ?? [])], { sound, unsound, isHere });
    if ("status" in judged) unsound.set(id, judged);
    else sound.set(id, judged);
  }
  return { genesis: root, sound, unsound };
}

function noteVote(votes: Map<StatementId, Set<SignerId>>, epoch: StatementId, by: SignerId): void {
  const all = votes.get(epoch);
  if (all === undefined) votes.set(epoch, new Set([by]));
  else all.add(by);
}

function rootOf(id: MeshId, body: GenesisBody): SoundEpoch {
  return {
    id,
    n: 0,
    body: undefined,
    parents: [],
    ancestors: new Set(),
    operators: new Map(body.operators.map(({ key, name }) => [key, { name }])),
    threshold: body.threshold,
    recovery: body.recovery,
    features: [],
    rules: body.rules,
    votes: body.founders,
    ends: new Map(),
    revoked: new Map(),
    unsuspended: new Set(),
  };
}

function judge(
  id: StatementId,
  body: EpochBody,
  signers: readonly SignerId[],
  { sound, unsound, isHere }: Omit<Epochs, "genesis"> & { isHere: (end: ChainPlace) => boolean },
): SoundEpoch | UnsoundEpoch {
  const parents = body.parents.flatMap((parent) => sound.get(parent) ?? []);
  const needed = Math.max(0, ...parents.map(({ threshold }) => threshold));
  const votes = signers.filter((key) => parents.some((parent) => mayVote(parent, key))).toSorted();
  const not = (status: UnsoundEpoch["status"], reason: string): UnsoundEpoch => {
    return { id, body, votes, needed, status, reason };
  };
  if (parents.length < body.parents.length) {
    const hopeless = body.parents.some(
      (parent) => unsound.get(parent as StatementId)?.status === "invalid",
    );
    return hopeless
      ? not("invalid", "it goes on from an epoch that is invalid")
      : not("open", "an epoch before it is not decided");
  }
  const flaw = flawOf(body, parents);
  if (flaw !== undefined) return not("invalid", flaw);
  const enough = parents.every((parent) => {
    const count = votes.filter((key) => parent.operators.has(key as OperatorId)).length;
    return count >= parent.threshold || isRecovered(parent, votes);
  });
  if (!enough) return not("open", "it has too few votes");
  const epoch = follow(id, body, parents, votes);
  const complete = body.chains.every((end) => !epoch.ends.has(end.by) || isHere(end));
  return complete ? epoch : not("open", "statements that it names are not here yet");
}

function mayVote({ operators, recovery }: SoundEpoch, key: SignerId): boolean {
  return operators.has(key as OperatorId) || recovery.keys.includes(key as PeerKey);
}

/** Whether the recovery keys of an epoch have voted in sufficient number. */
export function isRecovered({ recovery }: SoundEpoch, votes: readonly SignerId[]): boolean {
  const count = votes.filter((key) => recovery.keys.includes(key as PeerKey)).length;
  return recovery.threshold > 0 && count >= recovery.threshold;
}

/** Why an epoch can never count after these, if so. */
function flawOf(body: EpochBody, parents: readonly SoundEpoch[]): string | undefined {
  if (body.n !== 1 + Math.max(...parents.map(({ n }) => n)))
    return "its number is not the next one";
  if (parents.some(({ id }) => parents.some(({ ancestors }) => ancestors.has(id)))) {
    return "one of its parents goes on from another one";
  }
  const named = new Set(body.chains.map(({ by }) => by));
  const dropped = droppedBy(body, parents);
  if (dropped.some((key) => !named.has(key))) {
    return "it does not say where the statements of a dropped operator end";
  }
  const gone = new Set<string>([
    ...dropped,
    ...body.revokes.map(({ site }) => site),
    ...parents.flatMap(({ ends, revoked }) => [...ends.keys(), ...revoked.keys()]),
  ]);
  const keys: readonly string[] = [...body.operators.map(({ key }) => key), ...body.recovery.keys];
  return keys.some((key) => gone.has(key)) ? "a key comes back that was removed" : undefined;
}

function droppedBy(body: EpochBody, parents: readonly SoundEpoch[]): readonly OperatorId[] {
  const kept = new Set(body.operators.map(({ key }) => key));
  return [...new Set(parents.flatMap(({ operators }) => [...operators.keys()]))].filter(
    (key) => !kept.has(key),
  );
}

function follow(
  id: StatementId,
  body: EpochBody,
  parents: readonly SoundEpoch[],
  votes: readonly SignerId[],
): SoundEpoch {
  const ends = new Map<SignerId, readonly EpochId[]>();
  const revoked = new Map<SiteId, readonly Revocation[]>();
  for (const parent of parents) {
    for (const [key, heads] of parent.ends) {
      ends.set(key, [...new Set([...(ends.get(key) ?? []), ...heads])]);
    }
    for (const [site, cuts] of parent.revoked) {
      revoked.set(site, [...new Set([...(revoked.get(site) ?? []), ...cuts])]);
    }
  }
  const dropped = new Set<SignerId>(droppedBy(body, parents));
  for (const { by, head } of body.chains) {
    // One who is gone already can be cut further back, never let further.
    if (dropped.has(by) || ends.has(by)) ends.set(by, [...(ends.get(by) ?? []), head]);
  }
  for (const { site, logs } of body.revokes) {
    revoked.set(site, [...(revoked.get(site) ?? []), { epoch: id, logs }]);
  }
  return {
    id,
    n: body.n,
    body,
    parents,
    ancestors: new Set(parents.flatMap((parent) => [parent.id, ...parent.ancestors])),
    operators: new Map(body.operators.map(({ key, name }) => [key, { name }])),
    threshold: body.threshold,
    recovery: body.recovery,
    features: body.features,
    rules: body.rules,
    votes,
    ends,
    revoked,
    unsuspended: new Set([
      ...body.unsuspends,
      ...parents.flatMap(({ unsuspended }) => [...unsuspended]),
    ]),
  };
}
