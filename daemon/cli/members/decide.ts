/**
 * How every decision is made: shown, confirmed, signed here, checked, and handed to the daemon.
 *
 * What is shown is read from what gets signed. After signing, the rule that all nodes follow is asked
 * what the statement does; one that would do nothing, or something else, is never handed over.
 */
import { StatementChain } from "../../../protocol/statements/statement-chain.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import {
  encodeStatement,
  isChained,
  isUnknown,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import { ControlError } from "../../control/client.ts";
import { addAnswerShape } from "../../control/shapes-decisions.ts";
import type { CliContext } from "../shell/context.ts";
import { mustNameKey, openSigner, signerOfFile, type SignerOptions } from "./decision-signer.ts";
import { CommandError } from "../shell/exit.ts";
import type { MeshKnowledge } from "./mesh-knowledge.ts";
import { SignedBefore } from "./signed-before.ts";
import { confirm, confirmName } from "../shell/terminal.ts";

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
  /** All that is to be handed on: it, and what its key signed before and was not known here. */
  readonly fresh: readonly SignedStatement[];
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
  if (decided !== undefined) await handOver(context, options, decided);
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
  const named = await signerOfFile(options, mesh);
  if (named !== undefined) {
    const voted = voteBefore(mesh, named, content, options);
    if (voted !== undefined) return alreadySigned(context, mesh, voted);
    if (HELD_UP.has(content.kind) && mesh.authority.isSuspended(named.key)) {
      out.warn(`${named.name} is suspended: this is held up until somebody ends that.`);
    }
  }
  out.note(`${words.join("\n")}\n`);
  const again = named !== undefined && noteSignedBefore(context, mesh, named);
  if (again) await confirm("Sign a second statement for one place of the chain?", yes);
  if (typed === null) await confirm("Sign it?", yes);
  else await confirmName(typed, yes);
  const signer = await openSigner(options, mesh);
  if (named === undefined) {
    const voted = voteBefore(mesh, { key: signer.id, name: signer.name }, content, options);
    if (voted !== undefined) return alreadySigned(context, mesh, voted);
  }
  const statement = new StatementChain(mesh.meshId, signer.key, mesh.headOf(signer.id)).sign(
    content,
  );
  const after = mesh.with([statement]);
  const idle = after.authority.idle.get(statement.id);
  if (idle !== undefined) throw noEffect(idle);
  await remember(context, options, [statement], again);
  return { statement, after, fresh: [...mesh.unheard, statement] };
}

/** A vote that the key gave elsewhere and that was not known here: there is nothing to decide. */
export function voteGiven(
  context: CliContext,
  mesh: MeshKnowledge,
  digits: string,
): Decided | undefined {
  const given = mesh.unheard.find(({ id, body }) =>
    isUnknown(body) || body.kind !== "VOTE" ? id.startsWith(digits) : body.epoch.startsWith(digits),
  );
  return given === undefined ? undefined : alreadySigned(context, mesh, given);
}

function alreadySigned(
  { out }: CliContext,
  mesh: MeshKnowledge,
  statement: SignedStatement,
): Decided {
  out.note("It was signed with this key before.");
  return { statement, after: mesh, fresh: [...new Set([...mesh.unheard, statement])] };
}

/** Before anybody gets them. */
export async function remember(
  { out }: CliContext,
  { operatorKey }: SignerOptions,
  statements: readonly SignedStatement[],
  again: boolean,
): Promise<void> {
  if (operatorKey === undefined) return;
  if (await new SignedBefore(operatorKey).keep(statements, again)) return;
  out.warn(
    `What was signed cannot be kept in ${operatorKey}.signed: sign nothing elsewhere before ` +
      "all sites have it.",
  );
}

/** @returns Whether a place of the chain would be taken twice. */
function noteSignedBefore({ out }: CliContext, mesh: MeshKnowledge, { key, name }: Named): boolean {
  const { unheard, loose } = mesh;
  if (unheard.length > 0) {
    const kinds = unheard.map(({ body }) => body.kind).join(", ");
    out.note(`Not known here yet, signed with this key before, and goes with it: ${kinds}.`);
  }
  const next = mesh.headOf(key).seq;
  const ahead = loose.filter(({ body }) => isChained(body) && body.by === key && body.seq >= next);
  if (ahead.length === 0) return false;
  out.warn(
    `${name} has signed statement ${next} before; it builds on what is not known here. Two for one ` +
      "place are told by every node as a key in two places. Better: sign where it is known.",
  );
  return true;
}

interface Named {
  readonly key: SignerId;
  readonly name: string;
}

/**
 * The statement by which the signer has voted for this very epoch, if it has.
 *
 * @throws CommandError E-DECISION when it has voted for another one of the same number.
 */
function voteBefore(
  { statements, authority }: MeshKnowledge,
  { key, name }: Named,
  content: Content,
  { secondVote }: SignerOptions,
): SignedStatement | undefined {
  if (content.kind !== "EPOCH" && content.kind !== "VOTE") return undefined;
  const numbers = new Map<string, number>();
  for (const { id, body } of statements) {
    if (!isUnknown(body) && body.kind === "EPOCH") numbers.set(id, body.n);
  }
  const wanted = content.kind === "VOTE" ? content.epoch : undefined;
  const n = content.kind === "EPOCH" ? content.n : numbers.get(content.epoch);
  const dead = new Set<string>(
    authority.proposals.filter(({ status }) => status === "invalid").map(({ id }) => id),
  );
  let other: string | undefined;
  for (const statement of statements) {
    const epoch = votedFor(statement, key);
    if (epoch === undefined || numbers.get(epoch) !== n || dead.has(epoch)) continue;
    if (epoch === wanted) return statement;
    other = epoch;
  }
  if (other === undefined || secondVote === true) return undefined;
  const short = other.slice(0, 8);
  throw new CommandError("E-DECISION", `${name} has signed epoch ${n} before: proposal ${short}.`, {
    hint:
      `Only one epoch ${n} can stand; the next one can change it. What waits:  pleach sign ` +
      "To sign both all the same: --second-vote. If both get their signatures, they " +
      "contest each other until somebody settles it:  pleach operators settle",
    exit: 5,
  });
}

/** The epoch that a statement of this signer votes for. */
function votedFor({ id, body }: SignedStatement, key: SignerId): string | undefined {
  if (isUnknown(body) || (body.kind !== "EPOCH" && body.kind !== "VOTE")) return undefined;
  if (body.by !== key) return undefined;
  return body.kind === "EPOCH" ? id : body.epoch;
}

/**
 * Gives what was signed to the daemon, which keeps it and tells the other members.
 *
 * @throws CommandError E-DECISION when it does not take it.
 */
export async function handOver(
  context: CliContext,
  options: SignerOptions,
  decided: Decided,
): Promise<void> {
  await unlessRefused(options, [decided.statement], async () => {
    const { notTaken } = await offer(context, decided.fresh);
    const refused = notTaken.find(({ id }) => id === decided.statement.id);
    if (refused !== undefined) throw noEffect(refused.reason);
  });
}

/** What nobody got was never signed; what somebody may have got was. */
export async function unlessRefused(
  { operatorKey }: SignerOptions,
  signed: readonly SignedStatement[],
  act: () => Promise<void>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (operatorKey !== undefined && !(error instanceof ControlError)) {
      await new SignedBefore(operatorKey).forget(signed.filter(({ body }) => isChained(body)));
    }
    throw error;
  }
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
