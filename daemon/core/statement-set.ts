/**
 * The set of statements that a node keeps, and which new ones may enter it.
 *
 * A statement enters when its signer is known and what it builds on is here: the statement before it
 * in its chain, the parents of an EPOCH. So a set that was handed over in any order ends the same.
 * Everything that a signer can make others keep has a limit (signer-chain.ts, kept-groups.ts), and
 * which statements stay within it does not depend on the order of arrival.
 */
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
import type { ChainHead, SignerId } from "../../protocol/statement-head.ts";
import {
  isChained,
  isGenesis,
  isUnknown,
  meshIdOf,
  type ChainedBody,
  type SignedStatement,
} from "../../protocol/statement.ts";
import { compareStatements } from "./decisions.ts";
import { evaluateEpochs, type EpochId, type Epochs } from "./epochs.ts";
import { KeptGroups, subjectOf, type FreeBody } from "./kept-groups.ts";
import { SignerChain, type Standing } from "./signer-chain.ts";

/** Why a sound statement cannot enter the set. */
export type StatementRefusal =
  | "E-STATE-MESH"
  | "E-STATE-CHAIN"
  | "E-STATE-LIMIT"
  | "E-STATE-GENESIS";

export type StatementVerdict =
  | { readonly kind: "accepted"; readonly dropped: readonly StatementId[] }
  | { readonly kind: "known" }
  | { readonly kind: "waiting" }
  /** E-STATE-LIMIT can change when statements enter that back this one. */
  | { readonly kind: "refused"; readonly reason: StatementRefusal };

interface Link {
  readonly by: SignerId;
  readonly seq: number;
  readonly lamport: number;
}

/** One signer that used up the numbers must not end the chains of the others. */
const MAX_FOLLOWED_LAMPORT = 2 ** 40;

/** Of one statement in one change. Each pin that falls away and comes back costs one. */
const MAX_DEPARTURES = 8;

const WAITING: StatementVerdict = { kind: "waiting" };

/** All that follows from the statements of a set; made anew when one leaves that others build on. */
class Content {
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
  readonly pinned = new Set<EpochId>();
  lamport = 0;
  genesis: { readonly id: MeshId; readonly body: GenesisBody } | undefined;
  epochs: Epochs | undefined;
}

export class StatementSet {
  #content = new Content();
  /** How often each has left during the change that is under way. */
  #departures: Map<StatementId, number> | undefined;

  get meshId(): MeshId | undefined {
    return this.#content.genesis?.id;
  }

  get size(): number {
    return this.#content.byId.size;
  }

  get(id: StatementId): SignedStatement | undefined {
    return this.#content.byId.get(id);
  }

  all(): readonly SignedStatement[] {
    return [...this.#content.byId.values()];
  }

  /** Takes a statement in, if it may enter now. */
  add(statement: SignedStatement): StatementVerdict {
    return this.#once(() => this.#add(statement));
  }

  /** One change, in which nothing comes back for ever. */
  #once<Result>(change: () => Result): Result {
    if (this.#departures !== undefined) return change();
    this.#departures = new Map();
    try {
      return change();
    } finally {
      this.#departures = undefined;
    }
  }

  /** What has left may come back when an epoch has pinned it meanwhile, and not again and again. */
  #isBarred(id: StatementId): boolean {
    const departures = this.#departures?.get(id) ?? 0;
    return departures > 0 && (departures > MAX_DEPARTURES || !this.#content.pinned.has(id));
  }

  #add(statement: SignedStatement): StatementVerdict {
    const { id, body } = statement;
    const { meshId } = this;
    if (this.#content.byId.has(id)) return { kind: "known" };
    if (this.#isBarred(id)) return { kind: "refused", reason: "E-STATE-LIMIT" };
    if (isGenesis(body)) return this.#addGenesis(statement, body);
    if (meshId === undefined) return WAITING;
    if (body.mesh !== meshId) return { kind: "refused", reason: "E-STATE-MESH" };
    if (!isChained(body)) return this.#addFree(statement, body);
    if (!this.#isSigner(body) || this.#lacks(body)) return WAITING;
    if (this.#standing(statement) === "plain") {
      const fits = this.#fitsChain(body);
      if (fits === undefined) return WAITING;
      if (!fits) return { kind: "refused", reason: "E-STATE-CHAIN" };
    }
    return this.#keep(statement, body);
  }

  /** What the next statement of a signer has to carry. Undefined before there is a mesh. */
  chainHead(by: SignerId): ChainHead | undefined {
    if (this.meshId === undefined) return undefined;
    const { chains, lamport } = this.#content;
    const end = chains.get(by)?.end ?? { id: this.meshId, seq: 0, lamport: 0 };
    const next = Math.max(Math.min(lamport, MAX_FOLLOWED_LAMPORT), end.lamport) + 1;
    return { seq: end.seq + 1, prev: end.id, lamport: next };
  }

  #addGenesis(statement: SignedStatement, body: GenesisBody): StatementVerdict {
    if (this.meshId !== undefined) return { kind: "refused", reason: "E-STATE-GENESIS" };
    this.#content.genesis = { id: meshIdOf(statement), body };
    this.#content.byId.set(statement.id, statement);
    this.#reviewEpochs();
    return { kind: "accepted", dropped: [] };
  }

  /** Kinds that this version does not know may come from everybody who has a chain. */
  #isSigner(body: ChainedBody): boolean {
    const { operators, ownerKeys, recoveryKeys } = this.#content;
    const operator = operators.has(body.by as OperatorId);
    const owner = ownerKeys.has(body.by as OwnerId);
    const recovery = recoveryKeys.has(body.by as PeerKey);
    if (isUnknown(body)) return operator || owner || recovery;
    if (body.kind === "DELEGATE") return owner;
    return operator || (recovery && (body.kind === "EPOCH" || body.kind === "VOTE"));
  }

  /**
   * An EPOCH waits for its parents. It does not wait for the ends of chains that it names: those of
   * a signer that has filled its chain may enter only when the EPOCH has pinned them, and whoever
   * is to be expelled must not be able to keep the EPOCH out by that.
   */
  #lacks(body: ChainedBody): boolean {
    if (isUnknown(body) || body.kind !== "EPOCH") return false;
    const { byId } = this.#content;
    return !body.parents.every((id) => byId.has(id as StatementId));
  }

  /** Undefined: the statement before it is not here yet. */
  #fitsChain(body: ChainedBody): boolean | undefined {
    if (body.seq === 1) return body.prev === this.meshId;
    const before = this.#content.links.get(body.prev);
    if (before === undefined) return body.prev === this.meshId ? false : undefined;
    return before.by === body.by && before.seq + 1 === body.seq && before.lamport < body.lamport;
  }

  /** Whether others build on a statement; see signer-chain.ts. */
  #standing({ id, body }: SignedStatement): Standing {
    const { pinned, ballots, byId } = this.#content;
    if (pinned.has(id)) return "pinned";
    if (isUnknown(body) || !isChained(body)) return "plain";
    if (body.kind === "EPOCH") {
      return [...(ballots.get(id)?.keys() ?? [])].some((by) => by !== body.by) ? "backed" : "plain";
    }
    if (body.kind !== "VOTE" || !byId.has(body.epoch)) return "plain";
    const counted = ballots.get(body.epoch)?.get(body.by);
    return counted === undefined || id <= counted.id ? "backed" : "plain";
  }

  #limitOf(by: SignerId): number {
    const limits = this.#content.genesis?.body.limits ?? DEFAULT_LIMITS;
    return this.#content.ownerKeys.has(by as OwnerId)
      ? limits.ownerStatements
      : limits.operatorStatements;
  }

  #keep(statement: SignedStatement, body: ChainedBody): StatementVerdict {
    const content = this.#content;
    const chain = this.#chainOf(body.by);
    const displaced = this.#displacedBallots(statement);
    chain.add(statement);
    content.byId.set(statement.id, statement);
    const { by, seq, lamport } = body;
    content.links.set(statement.id, { by, seq, lamport });
    content.lamport = Math.max(content.lamport, lamport);
    if (content.pinned.has(statement.id)) content.pinned.add(body.prev);
    this.#noteMeaning(statement, body);
    const surplus = chain.surplus(this.#limitOf(by), (each) => this.#standing(each));
    const leaving = new Set([...surplus, ...displaced]);
    if (leaving.size === 0) return { kind: "accepted", dropped: [] };
    const dropped = this.#rebuildWithout(leaving);
    if (!this.#content.byId.has(statement.id)) return { kind: "refused", reason: "E-STATE-LIMIT" };
    return { kind: "accepted", dropped };
  }

  #chainOf(by: SignerId): SignerChain {
    const { chains } = this.#content;
    const known = chains.get(by);
    if (known !== undefined) return known;
    const chain = new SignerChain();
    chains.set(by, chain);
    return chain;
  }

  /** A vote that is here only because it was the one that counts, once another one does. */
  #displacedBallots({ id, body }: SignedStatement): readonly SignedStatement[] {
    if (isUnknown(body) || body.kind !== "VOTE") return [];
    const counted = this.#content.ballots.get(body.epoch)?.get(body.by);
    if (counted === undefined || counted.id < id) return [];
    const { body: other } = counted;
    if (isUnknown(other) || other.kind !== "VOTE" || this.#content.pinned.has(counted.id))
      return [];
    return this.#fitsChain(other) === true ? [] : [counted];
  }

  #noteMeaning(statement: SignedStatement, body: ChainedBody): void {
    if (isUnknown(body)) return;
    const { siteKeys, votes } = this.#content;
    if (body.kind === "OWNER") this.#noteOwner(body);
    else if (body.kind === "SITE") {
      const key = openSiteRequest(body)?.key;
      if (key !== undefined) siteKeys.add(key);
    } else if (body.kind === "EPOCH" || body.kind === "VOTE") {
      votes.add(statement);
      this.#noteBallot(body.kind === "EPOCH" ? statement.id : body.epoch, body.by, statement);
      this.#reviewEpochs();
    }
  }

  #noteBallot(epoch: StatementId, by: SignerId, statement: SignedStatement): void {
    const { ballots } = this.#content;
    const all = ballots.get(epoch) ?? new Map<SignerId, SignedStatement>();
    ballots.set(epoch, all);
    const counted = all.get(by);
    if (counted === undefined || statement.id < counted.id) all.set(by, statement);
  }

  #noteOwner(body: OwnerBody): void {
    const claim = openOwnerClaim(body);
    if (claim === undefined) return;
    const { ownerKeys, links } = this.#content;
    const { sign: by, seq } = claim;
    const id = ownerClaimId(body.claim);
    ownerKeys.add(by);
    links.set(id, { by, seq, lamport: 0 });
    this.#chainOf(by).noteEnd({ id, seq, lamport: 0 });
  }

  /** Epochs with enough votes give new signers a chain, and pin what they name. */
  #reviewEpochs(): void {
    const { genesis, votes, operators, recoveryKeys } = this.#content;
    if (genesis === undefined) return;
    const epochs = evaluateEpochs(genesis, votes);
    this.#content.epochs = epochs;
    for (const { operators: named, recovery, body } of epochs.sound.values()) {
      for (const key of named.keys()) operators.add(key);
      for (const key of recovery.keys) recoveryKeys.add(key);
      for (const { head } of body?.chains ?? []) this.#pin(head);
    }
  }

  /** Also what is not here yet: it enters whatever its signer has signed meanwhile. */
  #pin(head: EpochId): void {
    const { pinned, byId } = this.#content;
    for (let at = head; !pinned.has(at);) {
      pinned.add(at);
      const body = byId.get(at as StatementId)?.body;
      if (body === undefined || !isChained(body)) return;
      at = body.prev;
    }
  }

  /** ACK, LEAVE and FORK_PROOF: by or about a site that is known. */
  #addFree(statement: SignedStatement, body: FreeBody): StatementVerdict {
    const { byId, groups, siteKeys, epochs } = this.#content;
    const site = subjectOf(body);
    if (site === undefined || !siteKeys.has(site)) return WAITING;
    if (body.kind === "ACK") {
      const epoch = epochs?.sound.get(body.epoch);
      if (epoch === undefined) return WAITING;
      if (epoch.n !== body.n) return { kind: "refused", reason: "E-STATE-CHAIN" };
    }
    const dropped = groups.add(statement, body);
    if (dropped.includes(statement)) return { kind: "refused", reason: "E-STATE-LIMIT" };
    byId.set(statement.id, statement);
    for (const { id } of dropped) byId.delete(id);
    return { kind: "accepted", dropped: dropped.map(({ id }) => id) };
  }

  /** Others may build on what leaves: whoever it admitted, what it voted for. */
  #rebuildWithout(leaving: ReadonlySet<SignedStatement>): readonly StatementId[] {
    const before = this.all();
    const departures = this.#departures;
    for (const { id } of leaving) departures?.set(id, (departures.get(id) ?? 0) + 1);
    this.#content = new Content();
    this.#addAll(before.filter((statement) => !leaving.has(statement)));
    return before.filter(({ id }) => !this.#content.byId.has(id)).map(({ id }) => id);
  }

  /** @returns Those that are not here in the end. */
  #addAll(statements: readonly SignedStatement[]): readonly SignedStatement[] {
    const ordered = statements.toSorted(compareStatements);
    // Again and again: at a limit one that enters makes another leave, or lets another in.
    let entered;
    do {
      entered = ordered.filter((statement) => this.add(statement).kind === "accepted");
    } while (entered.length > 0);
    return ordered.filter(({ id }) => !this.#content.byId.has(id));
  }

  /** Those that a set of all of them would not take: what they build on is not among them. */
  static misfits(statements: Iterable<SignedStatement>): readonly SignedStatement[] {
    const set = new StatementSet();
    return set.#once(() => set.#addAll([...statements]));
  }
}

/** Those that a set of all of them would not take: what they build on is not among them. */
export function misfits(statements: Iterable<SignedStatement>): readonly SignedStatement[] {
  return StatementSet.misfits(statements);
}
