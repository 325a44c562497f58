/**
 * `pleach sign`: what waits for signatures, signing it, and carrying it by file.
 *
 * A file is signed without a daemon: it brings the proposal, all statements that its maker knew, and
 * so the ends of the chains. What is shown is computed from those statements, here.
 */
import { stat } from "node:fs/promises";
import { Command } from "commander";
import type { EpochBody } from "../../../protocol/statements/epoch-statement.ts";
import {
  MAX_DECISION_FILE_CHARACTERS,
  parseDecisionFile,
  printDecisionFile,
  type DecisionFile,
} from "../../../protocol/statements/decision-file.ts";
import type { StatementId } from "../../../protocol/ids.ts";
import { isUnknown, type SignedStatement } from "../../../protocol/statements/statement.ts";
import { compareStatements } from "../../core/authority/decisions.ts";
import type { Proposal } from "../../core/authority/authority.ts";
import { help, type CliContext } from "../shell/context.ts";
import {
  handOver,
  noEffect,
  offer,
  signPlan,
  unlessRefused,
  voteGiven,
  type Decided,
} from "./decide.ts";
import { withSignerOptions, type SignerOptions } from "./decision-signer.ts";
import { endedName, epochWords, labelled, outcomeOf, type Effects } from "./epoch-text.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { askMembers, knownHere, MeshKnowledge, withSigned } from "./mesh-knowledge.ts";
import { openProposals } from "./operators-text.ts";
import { MadeFiles, readBounded } from "./people-files.ts";
import { effectsOf, tellOutcome } from "./propose.ts";

interface SignOptions extends SignerOptions {
  readonly out?: string;
  readonly add?: string;
}

export function signCommand(context: CliContext): Command {
  const sign = new Command("sign")
    .argument("[what]", "digits of a proposal, or a file with one")
    .option("--out <file>", "write the proposal, or what you sign, to a file")
    .option("--add <file>", "take in the signatures of a file")
    .action((what: string | undefined, options: SignOptions) => run(context, what, options));
  withSignerOptions(sign, true);
  return help(
    sign,
    "Shows what waits for signatures, and signs it; over the mesh, or by files that go by e-mail or " +
      "on a stick and are signed without a daemon.",
    [
      ["pleach sign", "what waits"],
      ["pleach sign 3fa9c1d2 --operator-key FILE", "shows it, asks, signs"],
      ["pleach sign 3fa9c1d2 --phrase-file SHEET", "with the recovery key"],
      ["pleach sign 3fa9c1d2 --out proposal.txt", "a file for somebody who signs elsewhere"],
      ["pleach sign proposal.txt --operator-key FILE --out signed.txt", "there, without a daemon"],
      ["pleach sign --add signed.txt", "back here"],
    ],
  );
}

async function run(
  context: CliContext,
  what: string | undefined,
  options: SignOptions,
): Promise<void> {
  if (options.add !== undefined) {
    if (what === undefined) return addFile(context, options.add);
    throw new UsageError("--add takes a file and nothing else.");
  }
  if (what === undefined) return listWaiting(context);
  if (await isFile(what)) return signFile(context, what, options);
  if (!/^[0-9a-f]{8,64}$/.test(what)) {
    throw new UsageError(`"${what}" is no file and no proposal.`, "What waits:  pleach sign");
  }
  const signs = options.operatorKey !== undefined || options.phraseFile !== undefined;
  if (options.out !== undefined && !signs) return writeProposal(context, what, options.out);
  return signHere(context, what, options);
}

async function listWaiting(context: CliContext): Promise<void> {
  const mesh = await askMembers(context, {});
  const waiting = openProposals(mesh);
  const parts: string[] = [];
  for (const { id, state, votes, needed, missing, reason } of waiting) {
    const { body } = proposalOf(mesh, id);
    const short = id.slice(0, 8);
    const signed = `${votes.length} of ${needed} (${votes.join(", ") || "nobody"})`;
    parts.push(
      [
        ...epochWords(mesh, body, await effectsOf(context, body)),
        ...labelled("Signatures", `${signed}; not yet ${missing.join(", ") || "nobody"}`),
        ...(state === "contested" ? labelled("Contested", reason) : []),
        `  Sign:    pleach sign ${short} --operator-key FILE`,
        `  By file: pleach sign ${short} --out proposal.txt`,
      ].join("\n"),
    );
  }
  context.out.result({ proposals: waiting }, () =>
    parts.length === 0 ? "Nothing waits for a signature." : parts.join("\n\n"),
  );
}

async function signHere(context: CliContext, digits: string, options: SignOptions): Promise<void> {
  const mesh = await askMembers(context, options);
  const given = voteGiven(context, mesh, digits);
  const decided = given ?? (await voteOn(context, mesh, proposalOf(mesh, digits), options));
  if (decided === undefined) return;
  await handOver(context, options, decided);
  const [id] = epochsOf([decided.statement]);
  const body = id === undefined ? undefined : epochBodyOf(decided.after, id);
  const outcome = id === undefined ? undefined : outcomeOf(decided.after, id);
  if (id === undefined || body === undefined || outcome === undefined) {
    throw noEffect("the epoch is not known");
  }
  tellOutcome(context, id, body.n, outcome, `Epoch ${body.n} counts now.`);
}

async function voteOn(
  context: CliContext,
  mesh: MeshKnowledge,
  proposal: Proposal,
  options: SignOptions,
): Promise<Decided | undefined> {
  return vote(context, mesh, proposal, await effectsOf(context, proposal.body), options);
}

/** The epochs that statements vote for. */
function epochsOf(statements: readonly SignedStatement[]): readonly StatementId[] {
  return statements.flatMap(({ id, body }) => {
    if (isUnknown(body)) return [];
    return body.kind === "VOTE" ? [body.epoch] : body.kind === "EPOCH" ? [id] : [];
  });
}

async function vote(
  context: CliContext,
  mesh: MeshKnowledge,
  { id, body, status, reason }: Proposal,
  effects: Effects,
  options: SignOptions,
): Promise<Decided | undefined> {
  if (status === "outvoted" || status === "invalid") throw noEffect(reason);
  const outcome = outcomeOf(mesh, id);
  const { votes = [], needed = 0 } = outcome ?? {};
  const words = [
    ...epochWords(mesh, body, effects),
    ...labelled("Proposed by", mesh.nameOf(body.by)),
    ...labelled("Signatures", `${votes.length} of ${needed} (${votes.join(", ") || "nobody"})`),
  ];
  return signPlan(context, mesh, options, {
    content: { kind: "VOTE", epoch: id },
    words,
    typed: endedName(mesh, body),
    facts: { id, epoch: body.n, effects: Object.fromEntries(effects) },
  });
}

async function writeProposal(context: CliContext, digits: string, out: string): Promise<void> {
  const mesh = await askMembers(context, {});
  const { id, body } = proposalOf(mesh, digits);
  const { statements, meshId } = mesh;
  const words = [
    "",
    `For the operators of the mesh "${mesh.authority.meshName}":`,
    ...epochWords(mesh, body, await effectsOf(context, body)),
    "",
    "To read it and to sign it, on any machine with Pleach:",
    `  pleach sign FILE --operator-key FILE --out signed.txt`,
    "Then send signed.txt back; it is taken in on any site by",
    "  pleach sign --add signed.txt",
  ];
  const ordered = statements.toSorted(compareStatements);
  const text = printDecisionFile({ mesh: meshId, asks: id, statements: ordered }, words);
  await new MadeFiles().create(out, text);
  context.out.result(
    { file: out, id, epoch: body.n, statements: statements.length },
    `Wrote ${out}: proposal ${id.slice(0, 8)} and the ${statements.length} statements to judge it by.\n` +
      `Signed without a daemon by:  pleach sign ${out} --operator-key FILE --out signed.txt`,
  );
}

async function signFile(context: CliContext, file: string, options: SignOptions): Promise<void> {
  const { mesh: meshId, asks, statements } = await readDecisionFile(file);
  const known = new MeshKnowledge(statements);
  if (known.meshId !== meshId || asks === null) {
    throw new CommandError("E-DECISION", `${file} asks for no signature.`, {
      hint: `If it holds signatures, a site takes them in:  pleach sign --add ${file}`,
    });
  }
  const { out } = options;
  if (out === undefined && options.dryRun !== true) {
    throw new UsageError(
      "Where is the signature to go?",
      "Give --out FILE, and send that file back.",
    );
  }
  const mesh = await withSigned(meshId, statements, options.operatorKey);
  context.out.note(
    `As ${file} has it, with ${statements.length} statements up to epoch ${mesh.authority.epoch.n}. ` +
      "What was decided since\nis not in it.\n",
  );
  const proposal = proposalOf(known, asks);
  const decided =
    voteGiven(context, mesh, asks) ?? (await vote(context, mesh, proposal, new Map(), options));
  if (decided === undefined || out === undefined) return;
  const answer = { mesh: meshId, asks: null, statements: decided.fresh };
  const words = [
    "",
    `A signature for proposal ${asks.slice(0, 8)} of the mesh "${mesh.authority.meshName}".`,
    "On any site:  pleach sign --add FILE",
  ];
  await unlessRefused(options, [decided.statement], () =>
    new MadeFiles().create(out, printDecisionFile(answer, words)),
  );
  const outcome = outcomeOf(decided.after, asks);
  const fields = { file: out, id: asks, epoch: proposal.body.n, vote: decided.statement.id };
  const enough = outcome?.state === "counts" ? " With it the proposal has enough." : "";
  context.out.result(
    { ...fields, state: outcome?.state ?? "open" },
    `Signed. Send ${out} back; any site takes it in:  pleach sign --add ${out}.${enough}`,
  );
}

async function addFile(context: CliContext, file: string): Promise<void> {
  const { mesh: meshId, asks, statements } = await readDecisionFile(file);
  const before = await knownHere(context);
  if (before.meshId !== meshId) {
    throw new CommandError("E-DECISION", `${file} is about another mesh.`, {
      hint: `Its mesh id begins with ${meshId.slice(0, 16)}, that of this node with ${before.meshId.slice(0, 16)}.`,
    });
  }
  const known = new Set(before.statements.map(({ id }) => id));
  const fresh = statements.filter(({ id }) => !known.has(id)).toSorted(compareStatements);
  const { added, notTaken } = await offer(context, fresh);
  const [first] = notTaken;
  // Of a whole proposal this node may lack room for something that nobody asks about.
  if (first !== undefined && (asks === null || notTaken.some(({ id }) => id === asks))) {
    throw noEffect(first.reason);
  }
  const after = await knownHere(context);
  const epochs = new Set<StatementId>(asks === null ? [] : [asks]);
  for (const { id, body } of statements) {
    if (body.kind === "VOTE" && "epoch" in body) epochs.add(body.epoch as StatementId);
    if (body.kind === "EPOCH" && outcomeOf(after, id)?.state === "open") epochs.add(id);
  }
  const [id] = epochs;
  const outcome = id === undefined ? undefined : outcomeOf(after, id);
  const body = id === undefined ? undefined : epochBodyOf(after, id);
  if (id !== undefined && outcome !== undefined && body !== undefined) {
    context.out.note(tookIn(added));
    return tellOutcome(context, id, body.n, outcome, `Epoch ${body.n} counts now.`);
  }
  context.out.result({ added, state: "added" }, tookIn(added));
}

function tookIn(added: number): string {
  return `Took in ${added === 1 ? "1 statement" : `${added} statements`} that this node did not have.`;
}

function proposalOf(mesh: MeshKnowledge, digits: string): Proposal {
  const matching = mesh.authority.proposals.filter(({ id }) => id.startsWith(digits));
  const [found, another] = matching;
  if (found !== undefined && another === undefined) return found;
  if ((mesh.authority.epoch.ids as readonly string[]).some((id) => id.startsWith(digits))) {
    throw new CommandError("E-DECISION", "It has all its signatures and counts.", {
      hint: "Look:  pleach operators",
    });
  }
  const problem = found === undefined ? "No proposal begins" : "Several proposals begin";
  throw new CommandError("E-UNKNOWN", `${problem} with ${digits}.`, {
    hint: "What waits:  pleach sign",
  });
}

function epochBodyOf(mesh: MeshKnowledge, id: string): EpochBody | undefined {
  const body = mesh.statements.find((each) => each.id === id)?.body;
  return body?.kind === "EPOCH" && !("known" in body) ? body : undefined;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** @throws DecisionFileError, CommandError E-FILE. */
async function readDecisionFile(path: string): Promise<DecisionFile> {
  return parseDecisionFile(await readBounded(path, MAX_DECISION_FILE_CHARACTERS));
}
