/**
 * The asking side of a round: this node takes over what a peer holds and it lacks.
 *
 * Statements first, to a fixpoint, because they say who may write; then entries. At the end it
 * tells what it holds now, so that a peer that is equal then need not ask in its turn.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { SyncHello } from "../../../protocol/sync-message.ts";
import type { Clock } from "../../core/clock.ts";
import type { Replica } from "../replica.ts";
import { Asking } from "./asking.ts";
import type { Conversation } from "./conversation.ts";
import { EntryTaker } from "./take-envelopes.ts";
import { takeStatements } from "./take-statements.ts";

export interface RoundOutcome {
  /** The peer held the same at the start, or what it held then is what we hold now. */
  readonly equal: boolean;
  /** New here, because of this round. */
  readonly statements: number;
  readonly envelopes: number;
  /** Of what came, this node refused so many by the peer's fault. */
  readonly refused: number;
}

/** Goes on after both HELLOs were found different. */
export async function holdRound(
  talk: Conversation,
  replica: Replica,
  self: SiteId,
  clock: Clock,
  theirs: SyncHello,
): Promise<RoundOutcome> {
  const asking = new Asking(talk, replica, clock);
  if (theirs.statements !== replica.statementDigest()) await takeStatements(asking);
  if (theirs.state !== replica.stateDigest()) await new EntryTaker(asking, self).take(theirs);
  const [statements, state] = [replica.statementDigest(), replica.stateDigest()];
  await talk.say({ v: 1, kind: "done", statements, state });
  await talk.end();
  return {
    equal: statements === theirs.statements && state === theirs.state,
    statements: asking.statements,
    envelopes: asking.envelopes,
    refused: asking.refused,
  };
}
