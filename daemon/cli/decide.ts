/**
 * How every decision is made: shown, confirmed, signed here, checked, and handed to the daemon.
 *
 * What is shown is read from what gets signed. After signing, the rule that all nodes follow is asked
 * what the statement does; one that would do nothing, or something else, is never handed over.
 */
import type { OperatorId } from "../../protocol/ids.ts";
import { StatementChain } from "../../protocol/statement-chain.ts";
import { encodeStatement, type SignedStatement } from "../../protocol/statement.ts";
import { addAnswerShape } from "../control/shapes-decisions.ts";
import type { CliContext } from "./context.ts";
import { mustNameKey, openSigner, type SignerOptions } from "./decision-signer.ts";
import { CommandError } from "./exit.ts";
import type { MeshKnowledge } from "./mesh-knowledge.ts";
import { confirm, confirmName } from "./terminal.ts";

type Content = Parameters<StatementChain["sign"]>[0];

export interface Plan {
  readonly content: Content;
  /** What it does, line by line, for whoever signs. */
  readonly words: readonly string[];
  /** The name to type when nothing undoes it; null: a yes will do. */
  readonly typed: string | null;
  /** Told with `--json`, too. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Decided {
  readonly statement: SignedStatement;
  readonly after: MeshKnowledge;
}

/** What a suspended operator cannot do; it can vote, suspend and propose. */
const HELD_UP: ReadonlySet<string> = new Set(["GRANT", "UNGRANT"]);

/** @returns Undefined after a dry run, which has printed its result. */
export async function decide(
  context: CliContext,
  mesh: MeshKnowledge,
  options: SignerOptions,
  plan: Plan,
): Promise<Decided | undefined> {
  const decided = await signPlan(context, mesh, options, plan);
  if (decided !== undefined) await handOver(context, [decided.statement]);
  return decided;
}

/** As {@link decide}, without a daemon: nothing is handed over. */
export async function signPlan(
  context: CliContext,
  mesh: MeshKnowledge,
  options: SignerOptions,
  { content, words, typed, facts }: Plan,
): Promise<Decided | undefined> {
  const { out, yes } = context;
  if (options.dryRun === true) {
    out.result(
      { state: "dry-run", words, ...facts },
      `${words.join("\n")}\n\nNothing was changed.`,
    );
    return undefined;
  }
  mustNameKey(options);
  out.note(`${words.join("\n")}\n`);
  if (typed === null) await confirm("Sign it?", yes);
  else await confirmName(typed, yes);
  const signer = await openSigner(options, mesh);
  if (HELD_UP.has(content.kind) && mesh.authority.isSuspended(signer.id as OperatorId)) {
    out.warn(`${signer.name} is suspended: this is held up until somebody ends that.`);
  }
  const statement = new StatementChain(mesh.meshId, signer.key, mesh.headOf(signer.id)).sign(
    content,
  );
  const after = mesh.with([statement]);
  const idle = after.authority.idle.get(statement.id);
  if (idle !== undefined) throw noEffect(idle);
  return { statement, after };
}

/**
 * Gives statements to the daemon, which keeps them and tells the other members.
 *
 * @throws CommandError E-DECISION when it does not take one.
 */
export async function handOver(
  context: CliContext,
  statements: readonly SignedStatement[],
): Promise<void> {
  const { notTaken } = await offer(context, statements);
  const [first] = notTaken;
  if (first !== undefined) throw noEffect(first.reason);
}

/** As {@link handOver}; what the daemon does not take is named instead. */
export async function offer(
  context: CliContext,
  statements: readonly SignedStatement[],
): Promise<{
  readonly added: number;
  readonly notTaken: readonly { readonly id: string; readonly reason: string }[];
}> {
  let added = 0;
  const refused: { id: string; reason: string }[] = [];
  const waiting = new Set<string>();
  for (const batch of batches(statements)) {
    const body = { statements: batch.map(toBase64) };
    const answer = await context.client.post("/v1/decisions", body, addAnswerShape);
    added += answer.added.length;
    refused.push(...answer.refused);
    for (const id of answer.waiting) waiting.add(id);
    // What came later may have been waited for.
    for (const id of answer.added) waiting.delete(id);
  }
  const reason = "a statement before it is not known here";
  return { added, notTaken: [...refused, ...[...waiting].map((id) => ({ id, reason }))] };
}

const MAX_BATCH = 64;
const MAX_BATCH_BYTES = 1024 * 1024;

function* batches(statements: readonly SignedStatement[]): Generator<readonly SignedStatement[]> {
  let batch: SignedStatement[] = [];
  let sizeBytes = 0;
  for (const statement of statements) {
    if (batch.length === MAX_BATCH || sizeBytes > MAX_BATCH_BYTES) {
      yield batch;
      batch = [];
      sizeBytes = 0;
    }
    batch.push(statement);
    sizeBytes += statement.bytes.length;
  }
  if (batch.length > 0) yield batch;
}

function toBase64(statement: SignedStatement): string {
  return Buffer.from(encodeStatement(statement)).toString("base64");
}

export function noEffect(reason: string): CommandError {
  return new CommandError("E-DECISION", `The decision would have no effect: ${reason}.`, {
    hint: "Look:  pleach operators   and   pleach peers",
    exit: 5,
  });
}
