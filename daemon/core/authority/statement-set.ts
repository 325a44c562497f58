/**
 * The set of statements that a node keeps, and which new ones may enter it.
 *
 * A statement enters when its signer is known and the statement before it in its chain is here. So a
 * set that was handed over in any order ends the same.
 * Everything that a signer can make others keep has a limit (statement-room.ts, kept-groups.ts), and
 * which statements stay within it does not depend on the order of arrival.
 */
import type { GenesisBody } from "../../../protocol/statements/genesis.ts";
import type { MeshId, StatementId } from "../../../protocol/ids.ts";
import type { ChainHead, SignerId } from "../../../protocol/statements/statement-head.ts";
import {
  isChained,
  isGenesis,
  isUnknown,
  meshIdOf,
  type ChainedBody,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import { subjectOf, type FreeBody } from "./kept-groups.ts";
import { SetContent } from "./set-content.ts";
import { hasRoom, takeIn } from "./statement-room.ts";

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

/** Of those that found no room. */
const MAX_REMEMBERED = 4096;

const WAITING: StatementVerdict = { kind: "waiting" };
const BEYOND: StatementVerdict = { kind: "refused", reason: "E-STATE-LIMIT" };

export class StatementSet {
  #content: SetContent | undefined;
  /** Signers of which nothing enters any more after the last that has room; see {@link takeIn}. */
  #full: ReadonlySet<SignerId> = new Set();
  /** Whether all that takes up room is counted: not what came before the one that it follows. */
  #isExact = true;
  /** What was refused since the last one entered: nothing has changed for those. */
  readonly #beyond = new Set<StatementId>();

  /** The set of all that may stay of these. */
  static of(statements: Iterable<SignedStatement>): StatementSet {
    const all = [...statements];
    const set = new StatementSet();
    for (const statement of all) if (isGenesis(statement.body)) set.add(statement);
    const mesh = set.meshId;
    set.#rebuild(all.filter(({ body }) => !isGenesis(body) && body.mesh === mesh));
    return set;
  }

  get meshId(): MeshId | undefined {
    return this.#content?.genesis.id;
  }

  get size(): number {
    return this.#content?.byId.size ?? 0;
  }

  get(id: StatementId): SignedStatement | undefined {
    return this.#content?.byId.get(id);
  }

  all(): readonly SignedStatement[] {
    return [...(this.#content?.byId.values() ?? [])];
  }

  /** Takes a statement in, if it may enter now. */
  add(statement: SignedStatement): StatementVerdict {
    const { id, body } = statement;
    const content = this.#content;
    if (content?.byId.has(id) === true) return { kind: "known" };
    if (isGenesis(body)) return this.#addGenesis(statement, body);
    if (content === undefined) return WAITING;
    if (body.mesh !== content.genesis.id) return { kind: "refused", reason: "E-STATE-MESH" };
    if (!isChained(body)) return addFree(content, statement, body);
    if (!content.isSigner(body)) return WAITING;
    const fits = content.fitsChain(body);
    if (fits !== true && !content.mayBeBuiltOn(statement)) {
      return fits === undefined ? WAITING : { kind: "refused", reason: "E-STATE-CHAIN" };
    }
    return this.#enter(content, statement, body);
  }

  /** What the next statement of a signer has to carry. Undefined before there is a mesh. */
  chainHead(by: SignerId): ChainHead | undefined {
    if (this.#content === undefined) return undefined;
    const { chains, lamport, genesis } = this.#content;
    const none = { id: genesis.id, seq: 0, lamport: 0 };
    const end = chains.get(by)?.end(genesis.id) ?? none;
    const next = Math.max(Math.min(lamport, MAX_FOLLOWED_LAMPORT), end.lamport) + 1;
    return { seq: end.seq + 1, prev: end.id, lamport: next };
  }

  #addGenesis(statement: SignedStatement, body: GenesisBody): StatementVerdict {
    if (this.#content !== undefined) return { kind: "refused", reason: "E-STATE-GENESIS" };
    this.#content = new SetContent(statement, { id: meshIdOf(statement), body });
    return { kind: "accepted", dropped: [] };
  }

  #enter(content: SetContent, statement: SignedStatement, body: ChainedBody): StatementVerdict {
    const { id } = statement;
    if (this.#isCertain(content, statement, body)) {
      const isPlain = content.fitsChain(body) === true;
      if (isShaping(content, statement, body)) {
        // What an epoch names now takes up no room any more, and what was beyond a gap may.
        this.#full = new Set();
        this.#isExact = false;
      }
      content.keep(statement, body, isPlain ? "plain" : "built-on");
      this.#isExact &&= isPlain;
      this.#beyond.clear();
      return { kind: "accepted", dropped: [] };
    }
    if (this.#beyond.has(id) || this.#isBeyond(content, statement, body)) return BEYOND;
    const before = this.all();
    this.#rebuild([...before, statement]);
    if (this.get(id) === undefined) {
      if (this.#beyond.size < MAX_REMEMBERED) this.#beyond.add(id);
      return BEYOND;
    }
    this.#beyond.clear();
    const dropped = before.flatMap((each) => (this.get(each.id) === undefined ? each.id : []));
    return { kind: "accepted", dropped };
  }

  /**
   * Whether a statement enters and nothing has to leave for it, without looking at all anew: where
   * no signer has more than finds room, or at the end of a chain that has some left.
   */
  #isCertain(content: SetContent, statement: SignedStatement, body: ChainedBody): boolean {
    const { by } = body;
    const own = content.chainOf(by);
    // Two votes for one epoch: which of them stays may be another one now.
    if (content.hasBallotBeside(body)) return false;
    if (!isShaping(content, statement, body)) {
      if (hasRoom(content, by, own.kept, statement)) return true;
      const isLast = own.isAfterAll(statement, ["plain", "built-on"]);
      return this.#isExact && isLast && hasRoom(content, by, own.taken, statement);
    }
    const others = [...content.chains].every(([each, { kept }]) => hasRoom(content, each, kept));
    return others && hasRoom(content, by, own.kept, statement);
  }

  /** Whether a statement comes after all in a room that was full at each stage; see {@link takeIn}. */
  #isBeyond(content: SetContent, statement: SignedStatement, { by }: ChainedBody): boolean {
    if (!this.#full.has(by) || content.mayBeBuiltOn(statement)) return false;
    return content.chainOf(by).isAfterAll(statement, ["plain"]);
  }

  #rebuild(statements: readonly SignedStatement[]): void {
    if (this.#content === undefined) return;
    const { genesis, byId } = this.#content;
    const [first] = byId.values();
    if (first === undefined) return;
    this.#content = new SetContent(first, genesis);
    this.#full = takeIn(this.#content, statements);
    this.#isExact = true;
    for (const statement of statements) {
      const { body } = statement;
      if (!isGenesis(body) && !isChained(body)) addFree(this.#content, statement, body);
    }
  }
}

/**
 * Whether it can decide who has a chain, what others have built on, or from which stage on (see
 * statement-room.ts) another one does.
 */
function isShaping(content: SetContent, { id }: SignedStatement, body: ChainedBody): boolean {
  if (content.isFollowed(id)) return true;
  return !isUnknown(body) && ["EPOCH", "VOTE", "OWNER"].includes(body.kind);
}

/** ACK, LEAVE and FORK_PROOF: by or about a site that is known. */
function addFree(
  { byId, groups, siteKeys, epochs }: SetContent,
  statement: SignedStatement,
  body: FreeBody,
): StatementVerdict {
  const site = subjectOf(body);
  if (site === undefined || !siteKeys.has(site)) return WAITING;
  if (body.kind === "ACK") {
    const epoch = epochs.sound.get(body.epoch);
    if (epoch === undefined) return WAITING;
    if (epoch.n !== body.n) return { kind: "refused", reason: "E-STATE-CHAIN" };
  }
  const dropped = groups.add(statement, body);
  if (dropped.includes(statement)) return BEYOND;
  byId.set(statement.id, statement);
  for (const { id } of dropped) byId.delete(id);
  return { kind: "accepted", dropped: dropped.map(({ id }) => id) };
}

/** Those that a set of all of them would not take: what they build on is not among them. */
export function misfits(statements: Iterable<SignedStatement>): readonly SignedStatement[] {
  const all = [...statements];
  const set = StatementSet.of(all);
  return all.filter(({ id }) => set.get(id) === undefined);
}
