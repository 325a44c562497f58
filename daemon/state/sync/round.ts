/**
 * The asking side of a round: this node takes over what a peer holds and it lacks.
 *
 * Statements first, to a fixpoint, because they say who may write; then entries. At the end it
 * hands over what little the peer lacks and tells what it holds, so that a peer that is equal then
 * need not ask in its turn.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { SyncHello } from "../../../protocol/messages/sync-message.ts";
import type { Asking } from "./asking.ts";
import { isEqual, makeDone } from "./conversation.ts";
import { HandOver } from "./hand-over.ts";
import type { RecentItems } from "./recent-items.ts";
import { EntryTaker } from "./take-envelopes.ts";
import { takeStatements } from "./take-statements.ts";

export interface RoundOutcome {
  /** Both held the same in the end. */
  readonly equal: boolean;
  /** New here, because of this round. */
  readonly statements: number;
  readonly envelopes: number;
}

/** Goes on after both HELLOs were found different. */
export async function holdRound(
  asking: Asking,
  self: SiteId,
  recentItems: RecentItems,
  theirs: SyncHello,
): Promise<RoundOutcome> {
  const { talk, replica } = asking;
  const handOver = new HandOver();
  if (theirs.statements !== replica.statementDigest()) await takeStatements(asking, handOver);
  if (theirs.state !== replica.stateDigest()) {
    await new EntryTaker(asking, handOver, self).take(theirs);
  }
  await handOver.send(talk, replica, recentItems);
  await talk.say(makeDone(replica));
  const equal = isEqual(await asking.hear("done"), replica);
  await talk.end();
  return { equal, statements: asking.statements, envelopes: asking.envelopes };
}
