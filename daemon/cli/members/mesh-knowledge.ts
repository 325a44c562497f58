/**
 * What a command knows of a mesh: its statements, checked here, and what they add up to.
 *
 * A daemon or a file gives them and is not believed: each proves who signed it, and the authority is
 * computed here, by the rule that every node follows. What neither can prove is that nothing was
 * left out.
 */
import type { MeshId, OperatorId, PeerKey, SiteId } from "../../../protocol/ids.ts";
import type { ChainHead, SignerId } from "../../../protocol/statements/statement-head.ts";
import {
  decodeStatement,
  isGenesis,
  isUnknown,
  meshIdOf,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import type { Authority } from "../../core/authority/authority.ts";
import { authorize } from "../../core/authority/authorize.ts";
import { compareStatements } from "../../core/authority/decisions.ts";
import { misfits, StatementSet } from "../../core/authority/statement-set.ts";
import { askedShape, statementSetShape } from "../../control/shapes-decisions.ts";
import type { CliContext } from "../shell/context.ts";
import { CommandError } from "../shell/exit.ts";
import { fromBase64 } from "./membership-calls.ts";
import { SignedBefore } from "./signed-before.ts";

/** The daemon waits for the slowest of its links. */
const ASK_TIMEOUT_MS = 30_000;

export class MeshKnowledge {
  readonly meshId: MeshId;
  readonly statements: readonly SignedStatement[];
  readonly authority: Authority;
  /** Statements of the key that is to sign which this node, or the file, does not have yet. */
  readonly unheard: readonly SignedStatement[];
  /** The same, when they build on what is not known here: they can neither count nor be handed on. */
  readonly loose: readonly SignedStatement[];
  readonly #set = new StatementSet();

  /** @throws CommandError E-MESH-NONE when there is no GENESIS among them. */
  constructor(known: readonly SignedStatement[], own: readonly SignedStatement[] = []) {
    const ids = new Set(known.map(({ id }) => id));
    const fresh = own.filter(({ id }) => !ids.has(id));
    const loose = new Set(misfits([...known, ...fresh]).map(({ id }) => id));
    this.unheard = fresh.filter(({ id }) => !loose.has(id));
    this.loose = fresh.filter(({ id }) => loose.has(id));
    const statements = [...known, ...this.unheard];
    const genesis = statements.find(({ body }) => isGenesis(body));
    if (genesis === undefined) {
      throw new CommandError("E-MESH-NONE", "This node is in no mesh yet.", {
        hint: "Found one:  pleach init   or join one:  pleach join CODE",
      });
    }
    this.meshId = meshIdOf(genesis);
    this.statements = statements;
    this.authority = authorize(statements);
    let rest = statements.toSorted(compareStatements);
    for (let before = Infinity; rest.length < before;) {
      before = rest.length;
      rest = rest.filter((statement) => this.#set.add(statement).kind === "waiting");
    }
  }

  /** What it would be with these, too. */
  with(more: readonly SignedStatement[]): MeshKnowledge {
    const known = new Set(this.statements.map(({ id }) => id));
    return new MeshKnowledge([...this.statements, ...more.filter(({ id }) => !known.has(id))]);
  }

  /** What the next statement of a signer carries. */
  headOf(signer: SignerId): ChainHead {
    return this.#set.chainHead(signer) ?? { seq: 1, prev: this.meshId, lamport: 1 };
  }

  /** What people call a key: an operator, a site or a recovery key, of today or of before. */
  nameOf(key: SignerId | SiteId): string {
    const { operators, sites, endedSites, recovery, owners } = this.authority;
    const named =
      operators.get(key as OperatorId)?.name ??
      (sites.get(key as SiteId) ?? endedSites.get(key as SiteId))?.name ??
      this.#formerOperator(key) ??
      [...owners.values()].find(({ sign }) => (sign as string) === key)?.name;
    if (named !== undefined) return named;
    const short = key.slice(0, 8);
    return recovery.keys.includes(key as PeerKey) ? `recovery key ${short}` : short;
  }

  #formerOperator(key: string): string | undefined {
    for (const { body } of this.statements) {
      if (isUnknown(body) || (body.kind !== "GENESIS" && body.kind !== "EPOCH")) continue;
      const found = body.operators.find((each) => (each.key as string) === key);
      if (found !== undefined) return found.name;
    }
    return undefined;
  }
}

/**
 * Has the daemon ask the members that it is linked to for what they know: a decision builds on the
 * end of its signer's chain, and that may have been signed at another site.
 */
async function askLinkedMembers({ client, out }: CliContext): Promise<void> {
  const timeoutMs = ASK_TIMEOUT_MS;
  const { members } = await client.post("/v1/decisions/ask", {}, askedShape, { timeoutMs });
  const silent = members.filter(({ answered }) => !answered).map(({ site }) => site);
  if (silent.length > 0) {
    out.note(`No answer from ${silent.join(", ")}: what they know may be missing.`);
  }
}

/** What this node knows after it has asked the others, and what the key has signed itself. */
export async function askMembers(
  context: CliContext,
  { operatorKey }: { readonly operatorKey?: string },
): Promise<MeshKnowledge> {
  await askLinkedMembers(context);
  const { meshId, statements } = await knownHere(context);
  return withSigned(meshId, statements, operatorKey);
}

/** Statements of others, and what this key has signed before. */
export async function withSigned(
  meshId: MeshId,
  statements: readonly SignedStatement[],
  operatorKey: string | undefined,
): Promise<MeshKnowledge> {
  const own = operatorKey === undefined ? [] : await new SignedBefore(operatorKey).read(meshId);
  return new MeshKnowledge(statements, own);
}

/** What this node knows now. */
export async function knownHere(context: CliContext): Promise<MeshKnowledge> {
  const answer = await context.client.get("/v1/decisions", statementSetShape);
  return new MeshKnowledge(answer.statements.map((text) => decodeStatement(fromBase64(text))));
}
