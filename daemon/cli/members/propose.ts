/** Proposes an epoch: shows it, signs it, and says who has to sign yet. */
import type { EpochBody } from "../../../protocol/statements/epoch-statement.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { effectShape, type CutEffect } from "../../control/shapes-decisions.ts";
import type { CliContext } from "../shell/context.ts";
import { decide, noEffect } from "./decide.ts";
import type { SignerOptions } from "./decision-signer.ts";
import { epochContent, type EpochChange, type EpochContent } from "./epoch-change.ts";
import {
  endedName,
  epochWords,
  labelled,
  outcomeOf,
  waitingWords,
  type Outcome,
} from "./epoch-text.ts";
import type { MeshKnowledge } from "./mesh-knowledge.ts";

/** Approvals are missing: the exit code of what waits for others. */
const NEEDS_APPROVALS = 5;

/** @param said - The result in words when the epoch counts at once. */
export async function propose(
  context: CliContext,
  mesh: MeshKnowledge,
  options: SignerOptions,
  change: EpochChange,
  said: string,
): Promise<void> {
  const content = epochContent(mesh, change);
  const effects = await effectsOf(context, content);
  const words = [
    ...epochWords(mesh, content, effects),
    ...labelled("Needs", needsWords(mesh, options)),
    ...openProposals(mesh),
  ];
  const typed = endedName(mesh, content);
  const facts = { epoch: content.n, effects: Object.fromEntries(effects) };
  const decided = await decide(context, mesh, options, { content, words, typed, facts });
  if (decided === undefined) return;
  const { statement, after } = decided;
  const outcome = outcomeOf(after, statement.id);
  if (outcome === undefined) throw noEffect("the epoch is not known");
  tellOutcome(context, statement.id, content.n, outcome, said);
}

/** Prints the result of a proposal or a vote; ends with 5 while approvals are missing. */
export function tellOutcome(
  context: CliContext,
  id: string,
  n: number,
  outcome: Outcome,
  said: string,
): void {
  const { state, votes, needed, missing, reason } = outcome;
  const fields = { id, epoch: n, state, votes, needed, missing };
  if (state === "counts") return context.out.result(fields, said);
  context.exit = NEEDS_APPROVALS;
  const words =
    state === "open"
      ? waitingWords(id, outcome)
      : `It does not count: ${reason}.\nLook:  pleach operators`;
  context.out.result(fields, `Epoch ${n}, proposal ${id.slice(0, 8)}. ${words}`);
}

/** What each revocation of an epoch would cut, as this node holds the logs. */
export async function effectsOf(
  context: CliContext,
  { revokes }: EpochContent | EpochBody,
): Promise<ReadonlyMap<SiteId, CutEffect>> {
  const told = revokes.map(async ({ site, logs }) => {
    const request = { site, classes: null, logs };
    const effect = await context.client.post("/v1/decisions/effect", request, effectShape);
    return [site, effect] as const;
  });
  return new Map(await Promise.all(told));
}

function needsWords({ authority }: MeshKnowledge, options: SignerOptions): string {
  const { operators, threshold, recovery } = authority;
  if (options.phraseFile !== undefined) {
    const more = recovery.threshold - 1;
    return more > 0 ? `${more} more recovery keys after this one` : "nobody else's signature";
  }
  if (threshold <= 1) return "nobody else's signature: it counts at once";
  return `${threshold} of ${operators.size} operators; ${threshold - 1} after you`;
}

/** Two epochs of one number can both get the signatures they need, and are contested then. */
function openProposals({ authority }: MeshKnowledge): string[] {
  const open = authority.proposals.filter(({ status }) => status === "open");
  return open.flatMap(({ id, body }) =>
    labelled(
      "Beware",
      `Another proposal for epoch ${body.n} is open: pleach sign ${id.slice(0, 8)} shows it. ` +
        "Only one of them should be signed.",
    ),
  );
}
