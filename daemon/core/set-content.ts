/**
 * All that follows from the statements of a set: who has a chain, what others build on, and so what
 * may stay. It is made anew when something leaves that others build on.
 */
import type { EpochBody } from "../../protocol/epoch-statement.ts";
import { DEFAULT_LIMITS, type GenesisBody } from "../../protocol/genesis.ts";
import type {
  MeshId,
  OperatorId,
  OwnerId,
  PeerKey,
  SiteId,
  StatementId,
} from "../../protocol/ids.ts";
import { openOwnerClaim, ownerClaimId, type OwnerBody } from "../../protocol/owner-statement.ts";
import { openSiteRequest } from "../../protocol/site-statement.ts";
import type { SignerId } from "../../protocol/statement-head.ts";
import {
  isChained,
  isUnknown,
  type ChainedBody,
  type SignedStatement,
} from "../../protocol/statement.ts";
import { evaluateEpochs, type EpochId, type Epochs } from "./epochs.ts";
import { KeptGroups } from "./kept-groups.ts";
import { SignerChain, type Standing } from "./signer-chain.ts";

interface Link {
  readonly by: SignerId;
  readonly seq: number;
  readonly lamport: number;
}

/** All that follows from the statements of a set; made anew when one leaves that others build on. */
export class SetContent {
  readonly byId = new Map<StatementId, SignedStatement>();
  readonly links = new Map<StatementId | MeshId, Link>();
  readonly chains = new Map<SignerId, SignerChain>();
  readonly groups = new KeptGroups();
  readonly operators = new Set<OperatorId>();
  readonly recoveryKeys = new Set<PeerKey>();
  readonly ownerKeys = new Set<OwnerId>();
  readonly siteKeys = new Set<SiteId>();
  /** EPOCHs and VOTEs. */
  readonly votes = new Set<SignedStatement>();
  /** Who voted for an epoch, proposers included; for each the statement with the lowest id. */
  readonly ballots = new Map<StatementId, Map<SignerId, SignedStatement>>();
  /** Who proposed to go on from an epoch, also from one that is not here yet. */
  readonly followers = new Map<EpochId, Set<SignerId>>();
  readonly pinned = new Set<EpochId>();
  /** What EPOCHs that others have voted for go on from. */
  readonly backed = new Set<EpochId>();
  /** While all are put back: what others built on. What backs it may come after it. */
  readonly met: Set<StatementId>;
  lamport = 0;
  genesis: { readonly id: MeshId; readonly body: GenesisBody } | undefined;
  epochs: Epochs | undefined;

  constructor(met: Set<StatementId> = new Set()) {
    this.met = met;
  }

  get meshId(): MeshId | undefined {
    return this.genesis?.id;
  }

  /** Takes a chained statement in, and all that follows from it. */
  keep(statement: SignedStatement, body: ChainedBody): void {
    const { by, seq, lamport } = body;
    this.chainOf(by).add(statement);
    this.byId.set(statement.id, statement);
    this.links.set(statement.id, { by, seq, lamport });
    this.lamport = Math.max(this.lamport, lamport);
    if (this.pinned.has(statement.id)) this.#pin(body.prev);
    this.#noteMeaning(statement, body);
  }

  /** Undefined: the statement before it is not here yet. */
  fitsChain(body: ChainedBody): boolean | undefined {
    if (body.seq === 1) return body.prev === this.meshId;
    const before = this.links.get(body.prev);
    if (before === undefined) return body.prev === this.meshId ? false : undefined;
    return before.by === body.by && before.seq + 1 === body.seq && before.lamport < body.lamport;
  }

  /** Whether others build on a statement; see signer-chain.ts. */
  standing({ id, body }: SignedStatement): Standing {
    const { pinned, backed, ballots, followers, byId } = this;
    if (pinned.has(id)) return "pinned";
    if (backed.has(id)) return "backed";
    if (isUnknown(body) || !isChained(body)) return "plain";
    if (body.kind === "EPOCH") {
      const all = [...(ballots.get(id)?.keys() ?? []), ...(followers.get(id) ?? [])];
      return all.some((by) => by !== body.by) ? "backed" : "plain";
    }
    if (body.kind !== "VOTE") return "plain";
    const epoch = byId.get(body.epoch)?.body;
    // The EPOCH is its proposer's vote already, and would have to leave for another one.
    if (epoch === undefined || !isChained(epoch) || epoch.by === body.by) return "plain";
    const counted = ballots.get(body.epoch)?.get(body.by);
    return counted === undefined || id <= counted.id ? "backed" : "plain";
  }

  limitOf(by: SignerId): number {
    const limits = this.genesis?.body.limits ?? DEFAULT_LIMITS;
    return this.ownerKeys.has(by as OwnerId) ? limits.ownerStatements : limits.operatorStatements;
  }

  /** Those of a signer that have to leave, when one more wants to enter. */
  surplusOf(by: SignerId, next?: SignedStatement): readonly SignedStatement[] {
    return this.chainOf(by).surplus(this.limitOf(by), (each) => this.standing(each), next);
  }

  /** A vote that is here only because it was the one that counts, once another one does. */
  displacedBallots({ id, body }: SignedStatement): readonly SignedStatement[] {
    if (isUnknown(body) || body.kind !== "VOTE") return [];
    const counted = this.ballots.get(body.epoch)?.get(body.by);
    if (counted === undefined || counted.id < id) return [];
    const { body: other } = counted;
    if (isUnknown(other) || other.kind !== "VOTE" || this.pinned.has(counted.id)) return [];
    return this.fitsChain(other) === true ? [] : [counted];
  }

  /** Those beyond the limit of their signer, and those that were let in only because of others. */
  misplaced(): readonly SignedStatement[] {
    const { chains } = this;
    const surplus = [...chains].flatMap(([by]) => this.surplusOf(by));
    const unfit = [...this.byId.values()].filter((statement) => {
      const { body } = statement;
      if (!isChained(body) || this.standing(statement) !== "plain") return false;
      return this.fitsChain(body) !== true;
    });
    return [...surplus, ...unfit];
  }

  /** An EPOCH with a vote of somebody else, or one that gets it now, needs those before it. */
  backParents(id: StatementId, body: ChainedBody): void {
    if (isUnknown(body)) return;
    const { backed, byId } = this;
    const from = body.kind === "VOTE" ? byId.get(body.epoch)?.body : body;
    if (from === undefined || isUnknown(from) || from.kind !== "EPOCH") return;
    const open: EpochId[] = [body.kind === "VOTE" ? body.epoch : id];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      backed.add(at);
      const epoch = at === id ? body : byId.get(at as StatementId)?.body;
      if (epoch === undefined || isUnknown(epoch) || epoch.kind !== "EPOCH") continue;
      open.push(...epoch.parents.filter((parent) => !backed.has(parent)));
    }
  }

  chainOf(by: SignerId): SignerChain {
    const { chains } = this;
    const known = chains.get(by);
    if (known !== undefined) return known;
    const chain = new SignerChain();
    chains.set(by, chain);
    return chain;
  }

  #noteMeaning(statement: SignedStatement, body: ChainedBody): void {
    if (isUnknown(body)) return;
    const { siteKeys, votes } = this;
    if (body.kind === "OWNER") this.#noteOwner(body);
    else if (body.kind === "SITE") {
      const key = openSiteRequest(body)?.key;
      if (key !== undefined) siteKeys.add(key);
    } else if (body.kind === "EPOCH" || body.kind === "VOTE") {
      votes.add(statement);
      if (body.kind === "EPOCH") this.#noteFollower(body);
      this.#noteBallot(body.kind === "EPOCH" ? statement.id : body.epoch, body.by, statement);
      this.reviewEpochs();
    }
  }

  #noteFollower({ by, parents }: EpochBody): void {
    for (const parent of parents) {
      const all = this.followers.get(parent) ?? new Set();
      this.followers.set(parent, all.add(by));
    }
  }

  #noteBallot(epoch: StatementId, by: SignerId, statement: SignedStatement): void {
    const { ballots } = this;
    const all = ballots.get(epoch) ?? new Map<SignerId, SignedStatement>();
    ballots.set(epoch, all);
    const counted = all.get(by);
    if (counted === undefined || statement.id < counted.id) all.set(by, statement);
  }

  #noteOwner(body: OwnerBody): void {
    const claim = openOwnerClaim(body);
    if (claim === undefined) return;
    const { ownerKeys, links } = this;
    const { sign: by, seq } = claim;
    const id = ownerClaimId(body.claim);
    ownerKeys.add(by);
    links.set(id, { by, seq, lamport: 0 });
    this.chainOf(by).noteStart({ id, seq, lamport: 0 });
  }

  /** Epochs with enough votes give new signers a chain, and pin what they name. */
  reviewEpochs(): void {
    const { genesis, votes, operators, recoveryKeys } = this;
    if (genesis === undefined) return;
    const epochs = evaluateEpochs(genesis, votes, () => true);
    this.epochs = epochs;
    for (const { operators: named, recovery, body } of epochs.sound.values()) {
      for (const key of named.keys()) operators.add(key);
      for (const key of recovery.keys) recoveryKeys.add(key);
      for (const { head } of body?.chains ?? []) this.#pin(head);
    }
  }

  /** Also what is not here yet: it enters whatever its signer has signed meanwhile. */
  #pin(head: EpochId): void {
    const { pinned, byId } = this;
    for (let at = head; !pinned.has(at);) {
      pinned.add(at);
      const body = byId.get(at as StatementId)?.body;
      if (body === undefined || !isChained(body)) return;
      at = body.prev;
    }
  }
}
