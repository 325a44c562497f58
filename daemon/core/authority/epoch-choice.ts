/**
 * Which of the sound epochs count.
 *
 * Where several go on from one epoch, the one that more than half of the sites acknowledged counts;
 * without such a majority the one that the recovery keys voted for; else all of them, and rights
 * are what every one of them gives. So a competitor can take rights away, until people settle it,
 * and never add any.
 *
 * Whose word has weight must not be for one side to say: a candidate can leave out sites that exist,
 * or name an end of a chain that has invented ones before it. So a winner needs its majority among
 * the sites of every candidate. Where that is nobody, the sites decide that the parent itself named
 * as known: no candidate can add to them or leave them out. GENESIS names none.
 */
import type { OperatorId, SiteId, StatementId } from "../../../protocol/ids.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import { isRecovered, type EpochId, type Epochs, type SoundEpoch } from "./epochs.ts";
import type { StatementIndex } from "./statement-index.ts";

/** A site as the electorate sees it: who let it in, by which statement. */
export interface Elector {
  readonly site: SiteId;
  readonly by: SignerId;
  readonly statement: StatementId;
}

export interface Acknowledgement {
  readonly site: SiteId;
  readonly n: number;
  readonly epoch: EpochId;
}

export interface Choice {
  /** What counts: the last epoch, or the last ones of all branches that are contested. By id. */
  readonly tips: readonly SoundEpoch[];
  /** Sound epochs that lost their place, and those that go on from them alone. */
  readonly outvoted: ReadonlySet<EpochId>;
  /** Sites that acknowledged an epoch or one that goes on from it. */
  readonly support: ReadonlyMap<EpochId, ReadonlySet<SiteId>>;
}

/**
 * @param electors - All sites that SITE statements name, whether they count or not, but those that
 *   ended their own keys.
 */
export function chooseEpochs(
  epochs: Epochs,
  index: StatementIndex,
  electors: readonly Elector[],
  acknowledgements: readonly Acknowledgement[],
): Choice {
  const support = supportOf(epochs, acknowledgements);
  const children = Map.groupBy(
    [...epochs.sound.values()].flatMap((child) =>
      child.parents.map((parent) => ({ parent: parent.id, child })),
    ),
    ({ parent }) => parent,
  );
  const alive = new Set<EpochId>([epochs.genesis.id]);
  const leaves: SoundEpoch[] = [];
  // A parent stands before its children in this map; see evaluateEpochs.
  for (const epoch of epochs.sound.values()) {
    if (!alive.has(epoch.id)) continue;
    const candidates = (children.get(epoch.id) ?? []).map(({ child }) => child);
    if (candidates.length === 0) leaves.push(epoch);
    const winner = winnerOf(epoch, candidates, index, electors, support);
    for (const child of winner === undefined ? candidates : [winner]) alive.add(child.id);
  }
  const outvoted = new Set([...epochs.sound.keys()].filter((id) => !alive.has(id)));
  return { tips: leaves.toSorted((a, b) => (a.id < b.id ? -1 : 1)), outvoted, support };
}

function supportOf(
  { sound }: Epochs,
  acknowledgements: readonly Acknowledgement[],
): Map<EpochId, Set<SiteId>> {
  const support = new Map<EpochId, Set<SiteId>>();
  for (const { site, n, epoch: id } of acknowledgements) {
    const epoch = sound.get(id);
    if (epoch === undefined || epoch.n !== n) continue;
    for (const each of [id, ...epoch.ancestors]) {
      const sites = support.get(each);
      if (sites === undefined) support.set(each, new Set([site]));
      else sites.add(site);
    }
  }
  return support;
}

/** The one that counts in the place of all others; undefined when all do. */
function winnerOf(
  parent: SoundEpoch,
  candidates: readonly SoundEpoch[],
  index: StatementIndex,
  electors: readonly Elector[],
  support: Choice["support"],
): SoundEpoch | undefined {
  if (candidates.length < 2) return undefined;
  const isMajority = (id: EpochId, sites: ReadonlySet<SiteId>): boolean => {
    const supporters = support.get(id) ?? new Set();
    return [...sites].filter((each) => supporters.has(each)).length * 2 > sites.size;
  };
  const electorates = candidates
    .map((candidate) => electorateOf(parent, candidate, index, electors))
    .filter(({ size }) => size > 0);
  const known = electorateOf(parent, parent, index, electors);
  return (
    only(candidates, ({ id }) => {
      return electorates.length > 0 && electorates.every((sites) => isMajority(id, sites));
    }) ??
    only(candidates, ({ id }) => isMajority(id, known)) ??
    only(candidates, ({ votes }) => isRecovered(parent, votes))
  );
}

/** The one that is so; undefined when there are none or several. */
function only(
  candidates: readonly SoundEpoch[],
  isSo: (candidate: SoundEpoch) => boolean,
): SoundEpoch | undefined {
  const found = candidates.filter(isSo);
  return found.length === 1 ? found[0] : undefined;
}

/** The sites under an epoch that lie before the ends of chains which it or a child of it names. */
function electorateOf(
  parent: SoundEpoch,
  witness: SoundEpoch,
  index: StatementIndex,
  electors: readonly Elector[],
): ReadonlySet<SiteId> {
  const known = new Map((witness.body?.chains ?? []).map(({ by, head }) => [by, head]));
  const found = electors.filter(({ site, by, statement }) => {
    if (parent.revoked.has(site) || !countsUnder(parent, by, statement, index)) return false;
    const head = known.get(by);
    return head === undefined
      ? !parent.operators.has(by as OperatorId)
      : index.pathTo(head).has(statement);
  });
  return new Set(found.map(({ site }) => site));
}

/** Whether a statement of an operator counts under an epoch. */
export function countsUnder(
  epoch: SoundEpoch,
  by: SignerId,
  statement: StatementId,
  index: StatementIndex,
): boolean {
  if (epoch.operators.has(by as OperatorId)) return true;
  const ends = epoch.ends.get(by);
  return ends !== undefined && ends.every((head) => index.pathTo(head).has(statement));
}
