/**
 * Computes who may do what from the set of statements.
 *
 * A pure function of the set: the statements are put in one order (lamport number, then id), in
 * which whatever a signer had seen comes first. Where two claim the same thing, the first in this
 * order has it: a key that is enrolled stays as it was, and a name that is taken gets the
 * start of the key appended, so that nobody is thrown out by a collision. Both branches of a
 * forked chain count, and the fork is reported: a box that was put back to an older image must not
 * take the sites with it that it enrolled meanwhile.
 */
import {
  isChained,
  isGenesis,
  isUnknown,
  meshIdOf,
  type SignedStatement,
} from "../../protocol/statement.ts";
import { toHex, type LogId, type MeshId, type OwnerId, type SiteId } from "../../protocol/ids.ts";
import type { OperatorId, PeerKey, SetId, StatementId } from "../../protocol/ids.ts";
import { openOwnerClaim, type OwnerBody } from "../../protocol/owner-statement.ts";
import { isSharedClass, type ClassName } from "../../protocol/record-class.ts";
import type { GenesisBody } from "../../protocol/genesis.ts";
import type { GrantBody } from "../../protocol/grant-statement.ts";
import type { DelegateBody } from "../../protocol/delegate-statement.ts";
import { openSiteRelease, openSiteRequest, type SiteBody } from "../../protocol/site-statement.ts";
import type {
  Authority,
  Delegation,
  EndedSite,
  Grant,
  Owner,
  SignerFork,
  Site,
} from "./authority.ts";

interface Ranked extends Delegation {
  readonly seq: number;
}

/** The state of one computation; it ends as an {@link Authority}. */
interface Draft {
  readonly meshId: MeshId | undefined;
  readonly genesis: GenesisBody | undefined;
  readonly operators: Map<OperatorId, { readonly name: string }>;
  readonly sites: Map<SiteId, Site>;
  readonly endedSites: Map<SiteId, EndedSite>;
  readonly owners: Map<OwnerId, Owner>;
  readonly grants: Grant[];
  readonly delegations: Ranked[];
  readonly idle: Map<StatementId, string>;
}

/**
 * @param statements - Sound ones, of one mesh. Their order has no influence.
 */
export function authorize(statements: Iterable<SignedStatement>): Authority {
  const ordered = [...statements].toSorted(compareStatements);
  const genesis = ordered.find(({ body }) => isGenesis(body));
  const draft: Draft = {
    meshId: genesis === undefined ? undefined : meshIdOf(genesis),
    genesis: genesis !== undefined && isGenesis(genesis.body) ? genesis.body : undefined,
    operators: new Map(),
    sites: new Map(),
    endedSites: new Map(),
    owners: new Map(),
    grants: [],
    delegations: [],
    idle: new Map(),
  };
  for (const { key, name } of draft.genesis?.operators ?? []) draft.operators.set(key, { name });

  // Owners before delegations, those before sites (a release may be an owner's), grants last.
  for (const statement of ordered) {
    const { body } = statement;
    if (isUnknown(body)) draft.idle.set(statement.id, `this version does not know ${body.kind}`);
    else if (body.kind === "OWNER") admitOwner(draft, statement, body);
  }
  for (const statement of ordered) {
    const { body } = statement;
    if (!isUnknown(body) && body.kind === "DELEGATE") delegate(draft, statement, body);
  }
  for (const statement of ordered) {
    const { body } = statement;
    if (!isUnknown(body) && body.kind === "SITE") enrol(draft, statement, body);
  }
  for (const statement of ordered) {
    const { body } = statement;
    if (!isUnknown(body) && body.kind === "GRANT") grant(draft, statement, body);
  }
  return finish(draft, forksAmong(ordered));
}

/** Whatever a signer had seen stands before what it signed. */
export function compareStatements(a: SignedStatement, b: SignedStatement): number {
  return lamportOf(a) - lamportOf(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function lamportOf({ body }: SignedStatement): number {
  return isChained(body) ? body.lamport : 0;
}

function admitOwner(draft: Draft, { id }: SignedStatement, body: OwnerBody): void {
  const claim = openOwnerClaim(body);
  const operator = body.by as OperatorId;
  if (claim === undefined || !draft.operators.has(operator)) {
    draft.idle.set(id, "not signed by an operator");
  } else if (claim.sign !== claim.owner || claim.seq !== 1 || claim.prev !== draft.meshId) {
    draft.idle.set(id, "this version does not know replaced owner keys");
  } else if (draft.owners.has(claim.owner)) {
    draft.idle.set(id, "the owner was admitted before");
  } else if ([...draft.owners.values()].some((owner) => owner.recovery === claim.recovery)) {
    draft.idle.set(id, "the recovery key belongs to another owner");
  } else {
    const taken = [...draft.owners.values()].some(({ name }) => name === claim.name);
    draft.owners.set(claim.owner, {
      ownerId: claim.owner,
      sign: claim.sign,
      box: claim.box,
      recovery: claim.recovery,
      name: taken ? `${claim.name}-${claim.owner.slice(0, 8)}` : claim.name,
      org: claim.org,
      country: claim.country,
      statement: id,
    });
  }
}

function delegate(draft: Draft, { id }: SignedStatement, body: DelegateBody): void {
  if (draft.owners.get(body.owner)?.sign !== (body.by as OwnerId)) {
    draft.idle.set(id, "not signed by the owner");
    return;
  }
  const { owner, set, site, lockDays, seq } = body;
  draft.delegations.push({ owner, set, site, lockDays, seq, statement: id });
}

function enrol(draft: Draft, { id }: SignedStatement, body: SiteBody): void {
  const request = openSiteRequest(body);
  const operator = body.by as OperatorId;
  if (request === undefined || !draft.operators.has(operator)) {
    draft.idle.set(id, "not signed by an operator");
    return;
  }
  const siteId = request.key;
  if (draft.sites.has(siteId) || draft.endedSites.has(siteId)) {
    draft.idle.set(id, "the key was enrolled before");
    return;
  }
  const replaced = replacedBy(draft, body);
  if (replaced === "unsound") {
    draft.idle.set(id, "the release is not by the replaced site or its owner");
    return;
  }
  if (replaced !== undefined) draft.sites.delete(replaced.site.siteId);
  const { name, org, place, domains } = request;
  const taken = [...draft.sites.values()].some((site) => site.name === name);
  draft.sites.set(siteId, {
    siteId,
    name: taken ? `${name.slice(0, 54)}-${siteId.slice(0, 8)}` : name,
    org,
    place,
    domains,
    classes: new Set(body.classes),
    operator,
    replaces: replaced?.site.siteId,
    statement: id,
  });
  if (replaced !== undefined) {
    const { site, heads } = replaced;
    draft.endedSites.set(site.siteId, { ...site, ended: { kind: "replaced", by: siteId }, heads });
  }
}

function replacedBy(
  draft: Draft,
  body: SiteBody,
): { readonly site: Site; readonly heads: EndedSite["heads"] } | "unsound" | undefined {
  if (body.release === null) return undefined;
  const release = openSiteRelease(body.release);
  const site = release === undefined ? undefined : draft.sites.get(release.old);
  if (release === undefined || site === undefined) return "unsound";
  const key = toHex(body.release.key);
  const byOwner = draft.delegations.some(
    (delegation) =>
      delegation.site === site.siteId && draft.owners.get(delegation.owner)?.sign === key,
  );
  if (key !== site.siteId && !byOwner) return "unsound";
  const heads = new Map<LogId, { seq: number; head: (typeof release.heads)[number]["head"] }>();
  for (const { log, seq, head } of release.heads) heads.set(log, { seq, head });
  return { site, heads };
}

function grant(draft: Draft, { id }: SignedStatement, body: GrantBody): void {
  const operator = body.by as OperatorId;
  if (!draft.operators.has(operator)) {
    draft.idle.set(id, "not signed by an operator");
  } else if (!draft.sites.has(body.site) && !draft.endedSites.has(body.site)) {
    draft.idle.set(id, "the site is not enrolled");
  } else {
    const { site, class: granted, selector } = body;
    if (isSharedClass(granted)) {
      draft.grants.push({ site, class: granted, selector, operator, statement: id });
    } else draft.idle.set(id, `this version knows no shared class ${granted}`);
  }
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

function finish(draft: Draft, forks: readonly SignerFork[]): Authority {
  const { sites, endedSites, owners, grants, genesis } = draft;
  const delegations = draft.delegations.toSorted(
    (a, b) => b.seq - a.seq || (a.statement < b.statement ? -1 : 1),
  );
  const recoveries = new Map([...owners.values()].map((owner) => [owner.recovery, owner]));
  const explicit = (owner: OwnerId, set: SetId): Delegation | undefined =>
    delegations.find((delegation) => delegation.owner === owner && delegation.set === set);

  const mayWriteClass = (site: SiteId, recordClass: ClassName): boolean => {
    const enrolled = sites.get(site) ?? endedSites.get(site);
    if (enrolled === undefined) return false;
    if (!isSharedClass(recordClass)) return enrolled.classes.has(recordClass);
    return grants.some((right) => right.site === site && right.class === recordClass);
  };
  return {
    meshId: draft.meshId,
    meshName: genesis?.name ?? "",
    epoch: { n: 0, ids: draft.meshId === undefined ? [] : [draft.meshId], contested: false },
    operators: draft.operators,
    threshold: genesis?.threshold ?? 0,
    recovery: genesis?.recovery ?? { keys: [], threshold: 0 },
    features: new Set(),
    rules: genesis?.rules ?? 1,
    proposals: [],
    suspensions: [],
    sites,
    endedSites,
    owners,
    grants,
    endedGrants: [],
    forkedLogs: new Map(),
    delegations,
    idle: draft.idle,
    forks,
    mayWriteClass,
    mayWrite(site, recordClass, key) {
      if (!mayWriteClass(site, recordClass)) return false;
      if (!isSharedClass(recordClass)) return true;
      const start = key.split("/", 1)[0];
      return grants.some(
        (right) =>
          right.site === site &&
          right.class === recordClass &&
          (right.selector === null || right.selector === start),
      );
    },
    delegatedSite(owner, set) {
      const named = explicit(owner, set);
      if (named !== undefined) return named.site;
      const candidates = new Set(
        delegations
          .filter((each) => each.owner === owner && each.set === null && sites.has(each.site))
          .map(({ site }) => site),
      );
      return candidates.size === 1 ? [...candidates][0] : undefined;
    },
    delegationFor(owner, set, site) {
      const named = explicit(owner, set);
      if (named !== undefined) return named.site === site ? named : undefined;
      return delegations.find(
        (each) => each.owner === owner && each.set === null && each.site === site,
      );
    },
    logLimit(author, log) {
      const ended = endedSites.get(author);
      return ended === undefined ? "open" : (ended.heads.get(log) ?? "none");
    },
    isSuspended: () => false,
    mayOpenLogs: () => true,
    isMember: (peer: PeerKey) => sites.has(peer as SiteId),
    ownerOfRecovery: (peer) => recoveries.get(peer),
    siteNamed: (name) => [...sites.values()].find((site) => site.name === name),
  };
}
