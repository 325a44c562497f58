/**
 * Computes who may do what from the set of statements.
 *
 * A pure function of the set: first which epochs count, by their votes and acknowledgements alone,
 * then everything else under them, in one order (lamport number, then id) in which whatever a
 * signer had seen comes first. Where two claim the same thing, the first in this order has it: a
 * key that is enrolled stays as it was, and a name that is taken gets the start of the key
 * appended, so that nobody is thrown out by a collision. Both branches of a forked chain count,
 * and the fork is reported: a box that was put back to an older image must not take the sites with
 * it that it enrolled meanwhile.
 */
import type { GenesisBody } from "../../../protocol/statements/genesis.ts";
import type {
  MeshId,
  OwnerId,
  PeerKey,
  SetId,
  SiteId,
  StatementId,
} from "../../../protocol/ids.ts";
import { isSharedClass, type ClassName } from "../../../protocol/logs/record-class.ts";
import { openSiteRequest } from "../../../protocol/statements/site-statement.ts";
import {
  isChained,
  isUnknown,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import type { Authority, Delegation, SignerFork } from "./authority.ts";
import { compareStatements, Decisions, OperatorRights } from "./decisions.ts";
import { chooseEpochs, type Choice } from "./epoch-choice.ts";
import { evaluateEpochs, type Epochs, type SoundEpoch } from "./epochs.ts";
import { computeGrants, type Grants } from "./grants.ts";
import { forkedLogs, logLimits } from "../logs/log-ends.ts";
import { Memberships } from "./memberships.ts";
import { Owners } from "./owners.ts";
import { proposalsOf } from "./proposals.ts";
import { StatementIndex } from "./statement-index.ts";
import { openSuspensions } from "./suspensions.ts";

const NOBODY: GenesisBody["recovery"] = { keys: [], threshold: 0 };

/**
 * @param statements - Sound ones, of one mesh. Their order has no influence.
 * @param parked - Those that came to this node after a SUSPEND of their signer: the one thing that
 *   two nodes can see differently, as long as that SUSPEND is open.
 */
export function authorize(
  statements: Iterable<SignedStatement>,
  parked: ReadonlySet<StatementId> = new Set(),
): Authority {
  const ordered = [...statements].toSorted(compareStatements);
  const index = new StatementIndex(ordered);
  const decisions = new Decisions(ordered, index);
  const idle = new Map<StatementId, string>();
  for (const { id, body } of ordered) {
    if (isUnknown(body)) idle.set(id, `this version does not know ${body.kind}`);
  }
  const [genesis] = decisions.of("GENESIS");
  const meshId = genesis === undefined ? undefined : (genesis.id as string as MeshId);
  const epochs =
    genesis === undefined || meshId === undefined
      ? undefined
      : evaluateEpochs({ id: meshId, body: genesis.body }, ordered, (end) => index.reaches(end));
  const choice = epochs === undefined ? undefined : choose(epochs, decisions);
  const tips = choice?.tips ?? [];
  if (epochs !== undefined) noteIdleVotes(epochs, decisions, idle);

  // Nobody's SUSPEND is held up by another one.
  const rights = new OperatorRights(tips, index);
  const suspensions = openSuspensions(decisions, rights, tips, idle);
  const held = new OperatorRights(tips, index, parked, suspensions);
  const owners = new Owners(decisions, held, meshId, idle);
  const memberships = new Memberships(decisions, held, owners, tips, idle);
  const { sites, endedSites } = memberships;
  const isEnrolled = (site: SiteId): boolean => sites.has(site) || endedSites.has(site);
  const grants = computeGrants(decisions, held, isEnrolled, idle);
  const forks = forkedLogs(decisions, isEnrolled, idle);
  return {
    meshId,
    meshName: genesis?.body.name ?? "",
    ...constitution(tips, genesis?.body),
    proposals: epochs === undefined || choice === undefined ? [] : proposalsOf(epochs, choice),
    suspensions,
    isSuspended: (key) => suspensions.some((each) => each.key === key),
    sites,
    endedSites,
    owners: owners.owners,
    ...grants,
    forkedLogs: forks,
    ...logLimits(endedSites, forks),
    idle,
    forks: forksAmong(ordered),
    ...writing(memberships, grants),
    ...delegating(owners, memberships),
  };
}

/** Suspended operators are no exception, and what only one node has parked is none either. */
function choose(epochs: Epochs, decisions: Decisions): Choice {
  const left = new Set(decisions.of("LEAVE").map(({ body }) => body.by));
  const electors = decisions.of("SITE").flatMap(({ id, body }) => {
    const site = openSiteRequest(body)?.key;
    return site === undefined || left.has(site) ? [] : [{ site, by: body.by, statement: id }];
  });
  const acknowledgements = decisions.of("ACK").map(({ body }) => {
    return { site: body.by, n: body.n, epoch: body.epoch };
  });
  return chooseEpochs(epochs, decisions.index, electors, acknowledgements);
}

function noteIdleVotes(epochs: Epochs, decisions: Decisions, idle: Map<StatementId, string>): void {
  for (const { id, reason, status } of epochs.unsound.values()) {
    if (status === "invalid") idle.set(id, reason);
  }
  for (const { id, body } of decisions.of("VOTE")) {
    const epoch = epochs.sound.get(body.epoch) ?? epochs.unsound.get(body.epoch);
    if (epoch === undefined) idle.set(id, "the epoch is not known");
    else if (!epoch.votes.includes(body.by)) idle.set(id, "the signer has no vote on this epoch");
  }
  for (const { id, body } of decisions.of("ACK")) {
    if (epochs.sound.get(body.epoch)?.n !== body.n) idle.set(id, "the epoch does not count");
  }
}

/** What the epochs that count say together: what all of them give. */
function constitution(tips: readonly SoundEpoch[], genesis: GenesisBody | undefined) {
  const [first] = tips;
  const operators = [...(first?.operators ?? [])].filter(([key]) =>
    tips.every((epoch) => epoch.operators.has(key)),
  );
  const recovery = (first?.recovery ?? NOBODY).keys.filter((key) =>
    tips.every((epoch) => epoch.recovery.keys.includes(key)),
  );
  const features = (first?.features ?? []).filter((feature) =>
    tips.every((epoch) => epoch.features.includes(feature)),
  );
  return {
    epoch: {
      n: Math.max(0, ...tips.map(({ n }) => n)),
      ids: tips.map(({ id }) => id),
      contested: tips.length > 1,
      parents: tips.map((tip) => {
        return {
          id: tip.id,
          operators: tip.operators,
          threshold: tip.threshold,
          recovery: tip.recovery,
        };
      }),
    },
    operators: new Map(operators),
    threshold: Math.max(0, ...tips.map(({ threshold }) => threshold)),
    recovery: {
      keys: recovery,
      threshold: Math.max(0, ...tips.map((epoch) => epoch.recovery.threshold)),
    },
    features: new Set(features),
    rules: tips.length === 0 ? (genesis?.rules ?? 1) : Math.max(...tips.map(({ rules }) => rules)),
  };
}

function forksAmong(ordered: readonly SignedStatement[]): SignerFork[] {
  const places = Map.groupBy(
    ordered.filter(({ body }) => isChained(body)),
    ({ body }) => (isChained(body) ? `${body.by} ${body.seq} ${body.kind === "DELEGATE"}` : ""),
  );
  return [...places.values()]
    .filter((statements) => statements.length > 1)
    .flatMap((statements) => {
      const body = statements[0]?.body;
      if (body === undefined || !isChained(body)) return [];
      return [{ by: body.by, seq: body.seq, ids: statements.map(({ id }) => id) }];
    });
}

function writing({ sites, endedSites }: Memberships, { grants }: Grants) {
  const granted = new Map(
    [...Map.groupBy(grants, ({ site }) => site)].map(([site, rights]) => [
      site,
      Map.groupBy(rights, (right) => right.class),
    ]),
  );
  const mayWriteClass = (site: SiteId, recordClass: ClassName): boolean => {
    const enrolled = sites.get(site) ?? endedSites.get(site);
    if (enrolled === undefined) return false;
    if (!isSharedClass(recordClass)) return enrolled.classes.has(recordClass);
    return granted.get(site)?.has(recordClass) === true;
  };
  const named = new Map([...sites.values()].map((site) => [site.name, site]));
  return {
    mayWriteClass,
    mayWrite(site: SiteId, recordClass: ClassName, key: string): boolean {
      if (!mayWriteClass(site, recordClass)) return false;
      if (!isSharedClass(recordClass)) return true;
      const rights = granted.get(site)?.get(recordClass) ?? [];
      if (rights.some(({ selector }) => selector === null)) return true;
      const start = key.split("/", 1)[0];
      return rights.some(({ selector }) => selector === start);
    },
    isMember: (peer: PeerKey) => sites.has(peer as SiteId),
    siteNamed: (name: string) => named.get(name),
  };
}

function delegating({ owners, delegations: all }: Owners, { sites }: Memberships) {
  const delegations = all.toSorted((a, b) => b.seq - a.seq || (a.statement < b.statement ? -1 : 1));
  const recoveries = new Map([...owners.values()].map((owner) => [owner.recovery, owner]));
  const explicit = (owner: OwnerId, set: SetId): Delegation | undefined =>
    delegations.find((delegation) => delegation.owner === owner && delegation.set === set);
  return {
    delegations,
    delegatedSite(owner: OwnerId, set: SetId): SiteId | undefined {
      const named = explicit(owner, set);
      if (named !== undefined) return named.site;
      const candidates = new Set(
        delegations
          .filter((each) => each.owner === owner && each.set === null && sites.has(each.site))
          .map(({ site }) => site),
      );
      return candidates.size === 1 ? [...candidates][0] : undefined;
    },
    delegationFor(owner: OwnerId, set: SetId, site: SiteId): Delegation | undefined {
      const named = explicit(owner, set);
      if (named !== undefined) return named.site === site ? named : undefined;
      return delegations.find(
        (each) => each.owner === owner && each.set === null && each.site === site,
      );
    },
    ownerOfRecovery: (peer: PeerKey) => recoveries.get(peer),
  };
}
