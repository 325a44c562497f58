/**
 * The set of statements that a node keeps, and which new ones may enter it.
 *
 * A statement enters when its signer is known and the statement before it in its chain is here. So a
 * set that was handed over in any order ends the same.
 * Everything that a signer can make others keep has a limit (signer-chain.ts, kept-groups.ts), and
 * which statements stay within it does not depend on the order of arrival.
 */
import type { GenesisBody } from "../../protocol/genesis.ts";
import type { MeshId, OperatorId, OwnerId, PeerKey, StatementId } from "../../protocol/ids.ts";
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
import { subjectOf, type FreeBody } from "./kept-groups.ts";
import { SetContent } from "./set-content.ts";

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

/** One signer that used up the numbers must not end the chains of the others. */
const MAX_FOLLOWED_LAMPORT = 2 ** 40;

const WAITING: StatementVerdict = { kind: "waiting" };

export class StatementSet {
  #content = new SetContent();
  /** Whether the limits of signers are looked at with each statement: not while all are put back. */
  #limiting = true;

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
    const { id, body } = statement;
    const { meshId } = this;
    if (this.#content.byId.has(id)) return { kind: "known" };
    if (isGenesis(body)) return this.#addGenesis(statement, body);
    if (meshId === undefined) return WAITING;
    if (body.mesh !== meshId) return { kind: "refused", reason: "E-STATE-MESH" };
    if (!isChained(body)) return this.#addFree(statement, body);
    if (!this.#isSigner(body)) return WAITING;
    if (this.#content.standing(statement) === "plain" && !this.#content.met.has(id)) {
      const fits = this.#content.fitsChain(body);
      if (fits === undefined) return WAITING;
      if (!fits) return { kind: "refused", reason: "E-STATE-CHAIN" };
    }
    return this.#keep(statement, body);
  }

  /** What the next statement of a signer has to carry. Undefined before there is a mesh. */
  chainHead(by: SignerId): ChainHead | undefined {
    if (this.meshId === undefined) return undefined;
    const { chains, lamport } = this.#content;
    const none = { id: this.meshId, seq: 0, lamport: 0 };
    const end = chains.get(by)?.end(this.meshId) ?? none;
    const next = Math.max(Math.min(lamport, MAX_FOLLOWED_LAMPORT), end.lamport) + 1;
    return { seq: end.seq + 1, prev: end.id, lamport: next };
  }

  #addGenesis(statement: SignedStatement, body: GenesisBody): StatementVerdict {
    if (this.meshId !== undefined) return { kind: "refused", reason: "E-STATE-GENESIS" };
    this.#content.genesis = { id: meshIdOf(statement), body };
    this.#content.byId.set(statement.id, statement);
    this.#content.reviewEpochs();
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

  #keep(statement: SignedStatement, body: ChainedBody): StatementVerdict {
    const content = this.#content;
    if (content.standing(statement) === "backed") content.backParents(statement.id, body);
    const leaving = this.#limiting
      ? [...content.surplusOf(body.by, statement), ...content.displacedBallots(statement)]
      : [];
    if (leaving.includes(statement)) return { kind: "refused", reason: "E-STATE-LIMIT" };
    content.keep(statement, body);
    return {
      kind: "accepted",
      dropped: leaving.length === 0 ? [] : this.#rebuildWithout(leaving),
    };
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

  /**
   * Others may build on what leaves: whoever it admitted, what it voted for. So all others are put
   * back from the beginning, and those that nothing backs any more leave, too, until none has to.
   */
  #rebuildWithout(leaving: readonly SignedStatement[]): readonly StatementId[] {
    const before = this.all();
    const gone = new Set(leaving);
    for (let more = leaving; more.length > 0; more = this.#content.misplaced()) {
      for (const each of more) gone.add(each);
      const left = before.filter((each) => !gone.has(each));
      const met = left.filter((each) => this.#content.standing(each) !== "plain");
      this.#content = new SetContent(new Set(met.map(({ id }) => id)));
      this.#limiting = false;
      this.#addAll(left);
      this.#content.met.clear();
      this.#limiting = true;
    }
    return before.filter(({ id }) => !this.#content.byId.has(id)).map(({ id }) => id);
  }

  /** @returns Those that are not here in the end. */
  #addAll(statements: readonly SignedStatement[]): readonly SignedStatement[] {
    const ordered = statements.toSorted(compareStatements);
    // Again and again: one that enters may be what others wait for.
    let entered;
    do {
      entered = ordered.filter((statement) => this.add(statement).kind === "accepted");
    } while (entered.length > 0);
    return ordered.filter(({ id }) => !this.#content.byId.has(id));
  }

  /** Those that a set of all of them would not take: what they build on is not among them. */
  static misfits(statements: Iterable<SignedStatement>): readonly SignedStatement[] {
    const set = new StatementSet();
    return set.#addAll([...statements]);
  }
}

/** Those that a set of all of them would not take: what they build on is not among them. */
export function misfits(statements: Iterable<SignedStatement>): readonly SignedStatement[] {
  return StatementSet.misfits(statements);
}
