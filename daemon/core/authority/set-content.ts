/**
 * All that follows from the statements that a set keeps: who has a chain, what the next statement
 * comes after, and what others have built on. It only grows, with the statements that are put in.
 */
import type { EpochBody, VoteBody } from "../../../protocol/statements/epoch-statement.ts";
import type { GenesisBody } from "../../../protocol/statements/genesis.ts";
import type {
  MeshId,
  OperatorId,
  OwnerId,
  PeerKey,
  SiteId,
  StatementId,
} from "../../../protocol/ids.ts";
import {
  openOwnerClaim,
  ownerClaimId,
  type OwnerBody,
} from "../../../protocol/statements/owner-statement.ts";
import { openSiteRequest } from "../../../protocol/statements/site-statement.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import {
  isChained,
  isUnknown,
  type ChainedBody,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import { evaluateEpochs, type EpochId, type Epochs } from "./epochs.ts";
import { KeptGroups } from "./kept-groups.ts";
import { SignerChain, type Standing } from "./signer-chain.ts";

interface Link {
  readonly by: SignerId;
  readonly seq: number;
  readonly lamport: number;
}

/** Why a statement is kept without room and without the one before it; see statement-room.ts. */
export type Support = "named" | "vote" | "proposal" | "ancestor";

export class SetContent {
  readonly genesis: { readonly id: MeshId; readonly body: GenesisBody };
  readonly byId = new Map<StatementId, SignedStatement>();
  readonly chains = new Map<SignerId, SignerChain>();
  readonly groups = new KeptGroups();
  readonly siteKeys = new Set<SiteId>();
  epochs: Epochs;
  lamport = 0;
  readonly #links = new Map<StatementId | MeshId, Link>();
  /** What the statements here come after. */
  readonly #before = new Set<StatementId | MeshId>();
  readonly #operators = new Set<OperatorId>();
  readonly #recoveryKeys = new Set<PeerKey>();
  readonly #ownerKeys = new Set<OwnerId>();
  /** EPOCHs and VOTEs. */
  readonly #votes = new Set<SignedStatement>();
  /** Who voted for an epoch, its proposer not included. */
  readonly #ballots = new Map<StatementId, Set<SignerId>>();
  /** The EPOCHs that go on from an epoch, also from one that is not here yet. */
  readonly #followers = new Map<EpochId, Set<SignedStatement>>();
  /** EPOCHs that are kept only because others have built on them. */
  readonly #builtOn = new Set<SignedStatement>();
  /** What epochs with enough votes name, with all before it, here or not. */
  readonly #named = new Set<EpochId>();

  constructor(statement: SignedStatement, genesis: { id: MeshId; body: GenesisBody }) {
    this.genesis = genesis;
    this.byId.set(statement.id, statement);
    this.epochs = this.#reviewEpochs();
  }

  /** Kinds that this version does not know may come from everybody who has a chain. */
  isSigner(body: ChainedBody): boolean {
    const operator = this.#operators.has(body.by as OperatorId);
    const owner = this.#ownerKeys.has(body.by as OwnerId);
    const recovery = this.#recoveryKeys.has(body.by as PeerKey);
    if (isUnknown(body)) return operator || owner || recovery;
    if (body.kind === "DELEGATE") return owner;
    return operator || (recovery && (body.kind === "EPOCH" || body.kind === "VOTE"));
  }

  /** Undefined: the statement before it is not here yet. */
  fitsChain(body: ChainedBody): boolean | undefined {
    const { id: meshId } = this.genesis;
    if (body.seq === 1) return body.prev === meshId;
    const before = this.#links.get(body.prev);
    if (before === undefined) return body.prev === meshId ? false : undefined;
    return before.by === body.by && before.seq + 1 === body.seq && before.lamport < body.lamport;
  }

  /** Whether a statement that comes after this one is here. */
  isFollowed(id: StatementId): boolean {
    return this.#before.has(id);
  }

  /** What others have built on a statement of which they were not the signer; undefined: nothing. */
  supportOf({ id, body }: SignedStatement): Support | undefined {
    if (this.#named.has(id)) return "named";
    if (isUnknown(body) || !isChained(body)) return undefined;
    if (body.kind === "EPOCH") return this.#supportOfEpoch(id, body);
    if (body.kind !== "VOTE") return undefined;
    return this.#isVoteForOther(body) && !this.hasBallotBeside(body) ? "vote" : undefined;
  }

  /** Whether others have built on a statement, if they have not on another one in its place. */
  mayBeBuiltOn(statement: SignedStatement): boolean {
    const { body } = statement;
    const isVote = isChained(body) && !isUnknown(body) && body.kind === "VOTE";
    return this.supportOf(statement) !== undefined || (isVote && this.#isVoteForOther(body));
  }

  /** Whether the signer of a VOTE has voted for the same epoch before. */
  hasBallotBeside(body: ChainedBody): boolean {
    if (isUnknown(body) || body.kind !== "VOTE") return false;
    return this.#ballots.get(body.epoch)?.has(body.by) === true;
  }

  limitOf(by: SignerId): number {
    const { operatorStatements, ownerStatements } = this.genesis.body.limits;
    const isOwner = this.#ownerKeys.has(by as OwnerId);
    const isElse = this.#operators.has(by as OperatorId) || this.#recoveryKeys.has(by as PeerKey);
    return Math.max(isOwner ? ownerStatements : 0, isElse ? operatorStatements : 0);
  }

  chainOf(by: SignerId): SignerChain {
    const known = this.chains.get(by);
    if (known !== undefined) return known;
    const chain = new SignerChain();
    this.chains.set(by, chain);
    return chain;
  }

  /** Puts a chained statement in, with all that follows from it. */
  keep(statement: SignedStatement, body: ChainedBody, standing: Standing): void {
    const { id } = statement;
    const { by, seq, lamport } = body;
    this.chainOf(by).add(statement, standing, this.#named.has(id));
    this.byId.set(id, statement);
    this.#links.set(id, { by, seq, lamport });
    this.#before.add(body.prev);
    this.lamport = Math.max(this.lamport, lamport);
    if (this.#named.has(id)) this.#name(body.prev);
    if (isUnknown(body)) return;
    if (body.kind === "OWNER") this.#noteOwner(body);
    else if (body.kind === "SITE") {
      const key = openSiteRequest(body)?.key;
      if (key !== undefined) this.siteKeys.add(key);
    } else if (body.kind === "EPOCH" || body.kind === "VOTE") {
      this.#votes.add(statement);
      if (body.kind === "EPOCH") this.#noteEpoch(statement, body, standing);
      else setAt(this.#ballots, body.epoch).add(body.by);
      this.epochs = this.#reviewEpochs();
    }
  }

  /** The EPOCH is its proposer's vote already. */
  #isVoteForOther({ epoch: id, by }: VoteBody): boolean {
    const epoch = this.byId.get(id)?.body;
    return epoch !== undefined && isChained(epoch) && epoch.by !== by;
  }

  #supportOfEpoch(id: StatementId, { by }: EpochBody): Support | undefined {
    const voters = [...(this.#ballots.get(id) ?? [])];
    if (voters.some((voter) => voter !== by)) return "proposal";
    const followers = [...(this.#followers.get(id) ?? [])];
    const counts = (each: SignedStatement): boolean =>
      isChained(each.body) && each.body.by !== by && !this.#isOnlyBuiltOn(each);
    if (followers.some(counts)) return "proposal";
    return followers.some((each) => this.#isOnlyBuiltOn(each)) ? "ancestor" : undefined;
  }

  #isOnlyBuiltOn(epoch: SignedStatement): boolean {
    return this.#builtOn.has(epoch) && !this.#named.has(epoch.id);
  }

  #noteEpoch(statement: SignedStatement, { parents }: EpochBody, standing: Standing): void {
    for (const parent of parents) setAt(this.#followers, parent).add(statement);
    if (standing === "built-on") this.#builtOn.add(statement);
  }

  #noteOwner(body: OwnerBody): void {
    const claim = openOwnerClaim(body);
    if (claim === undefined) return;
    const { sign: by, seq } = claim;
    const id = ownerClaimId(body.claim);
    this.#ownerKeys.add(by);
    this.#links.set(id, { by, seq, lamport: 0 });
    this.chainOf(by).noteStart({ id, seq, lamport: 0 });
  }

  /** Epochs with enough votes give new signers a chain, and name what is known of the others. */
  #reviewEpochs(): Epochs {
    const epochs = evaluateEpochs(this.genesis, this.#votes, () => true);
    for (const { operators, recovery, body } of epochs.sound.values()) {
      for (const key of operators.keys()) this.#operators.add(key);
      for (const key of recovery.keys) this.#recoveryKeys.add(key);
      for (const { head } of body?.chains ?? []) this.#name(head);
    }
    return epochs;
  }

  /** Also what is not here yet: it enters whatever its signer has signed meanwhile. */
  #name(head: EpochId): void {
    for (let at = head; !this.#named.has(at);) {
      this.#named.add(at);
      const statement = this.byId.get(at as StatementId);
      if (statement === undefined || !isChained(statement.body)) return;
      this.chainOf(statement.body.by).name(statement);
      at = statement.body.prev;
    }
  }
}

function setAt<K, V>(map: Map<K, Set<V>>, key: K): Set<V> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const fresh = new Set<V>();
  map.set(key, fresh);
  return fresh;
}
