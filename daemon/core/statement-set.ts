/**
 * The set of statements that a node keeps, and which new ones may enter it.
 *
 * A statement enters when its signer is known and the statement before it in the signer's chain is
 * here. So every kept chain is whole, and a set that was handed over in any order ends the same.
 * Beyond the limits of GENESIS the last in the order (seq, id) of a signer leave again: which
 * ones stay does not depend on the order of arrival.
 */
import { DEFAULT_LIMITS } from "../../protocol/genesis.ts";
import type { MeshId, OperatorId, OwnerId, StatementId } from "../../protocol/ids.ts";
import { openOwnerClaim, ownerClaimId, type OwnerBody } from "../../protocol/owner-statement.ts";
import type { ChainHead, SignerId } from "../../protocol/statement-head.ts";
import {
  isChained,
  isGenesis,
  isUnknown,
  meshIdOf,
  type ChainedBody,
  type SignedStatement,
  type StatementBody,
} from "../../protocol/statement.ts";
import { compareStatements } from "./authorize.ts";

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
  | { readonly kind: "refused"; readonly reason: StatementRefusal };

/** A place in a chain: a statement, or an owner's claim inside an OWNER. */
interface Link {
  readonly by: SignerId;
  readonly seq: number;
  readonly lamport: number;
}

/** One signer that used up the numbers must not end the chains of the others. */
const MAX_FOLLOWED_LAMPORT = 2 ** 40;

const WAITING: StatementVerdict = { kind: "waiting" };

export class StatementSet {
  readonly #byId = new Map<StatementId, SignedStatement>();
  readonly #links = new Map<StatementId | MeshId, Link>();
  readonly #chains = new Map<SignerId, SignedStatement[]>();
  readonly #operators = new Set<OperatorId>();
  readonly #ownerKeys = new Set<OwnerId>();
  #meshId: MeshId | undefined;
  #limits: { readonly operatorStatements: number; readonly ownerStatements: number } =
    DEFAULT_LIMITS;

  get meshId(): MeshId | undefined {
    return this.#meshId;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: StatementId): SignedStatement | undefined {
    return this.#byId.get(id);
  }

  all(): readonly SignedStatement[] {
    return [...this.#byId.values()];
  }

  /** Takes a statement in, if it may enter now. */
  add(statement: SignedStatement): StatementVerdict {
    const { id, body } = statement;
    if (this.#byId.has(id)) return { kind: "known" };
    if (isGenesis(body)) return this.#addGenesis(statement);
    if (this.#meshId === undefined) return WAITING;
    if (body.mesh !== this.#meshId) return { kind: "refused", reason: "E-STATE-MESH" };
    if (!isChained(body)) return WAITING;
    if (!this.#isSigner(body)) return WAITING;
    const fits = this.#fitsChain(body);
    if (fits === undefined) return WAITING;
    if (!fits) return { kind: "refused", reason: "E-STATE-CHAIN" };
    return this.#keep(statement, body);
  }

  /** What the next statement of a signer has to carry. Undefined before there is a mesh. */
  chainHead(by: SignerId): ChainHead | undefined {
    if (this.#meshId === undefined) return undefined;
    let lamport = 0;
    let head: { id: StatementId | MeshId; seq: number; lamport: number } = {
      id: this.#meshId,
      seq: 0,
      lamport: 0,
    };
    for (const [id, link] of this.#links) {
      lamport = Math.max(lamport, link.lamport);
      if (link.by !== by) continue;
      if (link.seq > head.seq || (link.seq === head.seq && id < head.id)) {
        head = { id, seq: link.seq, lamport: link.lamport };
      }
    }
    const next = Math.max(Math.min(lamport, MAX_FOLLOWED_LAMPORT), head.lamport) + 1;
    return { seq: head.seq + 1, prev: head.id, lamport: next };
  }

  #addGenesis(statement: SignedStatement): StatementVerdict {
    const { body } = statement;
    if (this.#meshId !== undefined) return { kind: "refused", reason: "E-STATE-GENESIS" };
    this.#meshId = meshIdOf(statement);
    this.#byId.set(statement.id, statement);
    if (isGenesis(body)) {
      for (const { key } of body.operators) this.#operators.add(key);
      this.#limits = body.limits;
    }
    return { kind: "accepted", dropped: [] };
  }

  /** Kinds that this version does not know may come from operators and owners alike. */
  #isSigner(body: ChainedBody): boolean {
    const operator = this.#operators.has(body.by as OperatorId);
    const owner = this.#ownerKeys.has(body.by as OwnerId);
    if (isUnknown(body)) return operator || owner;
    return body.kind === "DELEGATE" ? owner : operator;
  }

  /** Undefined: the statement before it is not here yet. */
  #fitsChain(body: ChainedBody): boolean | undefined {
    if (body.seq === 1) return body.prev === this.#meshId;
    const before = this.#links.get(body.prev);
    if (before === undefined) return body.prev === this.#meshId ? false : undefined;
    return before.by === body.by && before.seq + 1 === body.seq && before.lamport < body.lamport;
  }

  #keep(statement: SignedStatement, body: ChainedBody): StatementVerdict {
    const chain = this.#chains.get(body.by) ?? [];
    const limit = this.#operators.has(body.by as OperatorId)
      ? this.#limits.operatorStatements
      : this.#limits.ownerStatements;
    const next = [...chain, statement].toSorted(compareInChain);
    const dropped = next.splice(limit);
    if (dropped.includes(statement)) return { kind: "refused", reason: "E-STATE-LIMIT" };
    this.#chains.set(body.by, next);
    this.#remove(dropped);
    this.#byId.set(statement.id, statement);
    const { by, seq, lamport } = body;
    this.#links.set(statement.id, { by, seq, lamport });
    if (isOwner(body)) this.#noteOwner(body);
    dropped.push(...dropped.flatMap((each) => this.#dropOwner(each)));
    return { kind: "accepted", dropped: dropped.map(({ id }) => id) };
  }

  #remove(statements: readonly SignedStatement[]): void {
    for (const { id } of statements) {
      this.#byId.delete(id);
      this.#links.delete(id);
    }
  }

  /** What an owner signed cannot stay when the OWNER that let it in has left. */
  #dropOwner({ body }: SignedStatement): readonly SignedStatement[] {
    const owner = isOwner(body) ? openOwnerClaim(body)?.sign : undefined;
    if (!isOwner(body) || owner === undefined) return [];
    const chain = this.#chains.get(owner) ?? [];
    this.#chains.delete(owner);
    this.#remove(chain);
    this.#ownerKeys.delete(owner);
    this.#links.delete(ownerClaimId(body.claim));
    // Another operator may have admitted the same owner, with the same claim or another one.
    for (const { body: left } of this.#byId.values()) if (isOwner(left)) this.#noteOwner(left);
    return chain.filter((statement) => this.add(statement).kind !== "accepted");
  }

  #noteOwner(body: OwnerBody): void {
    const claim = openOwnerClaim(body);
    if (claim === undefined) return;
    this.#ownerKeys.add(claim.sign);
    this.#links.set(ownerClaimId(body.claim), { by: claim.sign, seq: claim.seq, lamport: 0 });
  }
}

/** Those that a set of all of them would not take: what they build on is not among them. */
export function misfits(statements: Iterable<SignedStatement>): readonly SignedStatement[] {
  const set = new StatementSet();
  let rest = [...statements].toSorted(compareStatements);
  for (;;) {
    const left = rest.filter((statement) => {
      const { kind } = set.add(statement);
      return kind === "waiting" || kind === "refused";
    });
    if (left.length === rest.length) return left;
    rest = left;
  }
}

function isOwner(body: StatementBody): body is OwnerBody {
  return !isUnknown(body) && body.kind === "OWNER";
}

/** The order in which statements of one signer count against its limit. */
function compareInChain(a: SignedStatement, b: SignedStatement): number {
  const seqs = [a, b].map(({ body }) => (isChained(body) ? body.seq : 0));
  return (seqs[0] ?? 0) - (seqs[1] ?? 0) || (a.id < b.id ? -1 : 1);
}
