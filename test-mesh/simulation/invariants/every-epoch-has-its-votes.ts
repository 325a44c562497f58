/**
 * An epoch that counts, and each one before it, has the votes of as many operators of its parents as
 * these ask for, or of their recovery keys. Counted here anew, from the statements alone.
 */
import assert from "node:assert/strict";
import { isUnknown, type SignedStatement } from "../../../protocol/statements/statement.ts";
import type { Healed } from "../heal.ts";

export function everyEpochHasItsVotes({ world, sites }: Healed): void {
  for (const { name, state } of sites) {
    const statements = new Map(state.statements().map((each) => [each.id as string, each]));
    const open: string[] = [...state.authority().epoch.ids];
    const seen = new Set<string>([world.mesh]);
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (seen.has(id)) continue;
      seen.add(id);
      const body = statements.get(id)?.body;
      assert.ok(
        body?.kind === "EPOCH" && "parents" in body,
        `${name} follows ${id}, which is no epoch`,
      );
      const voters = votersOf(id, statements.values());
      for (const parent of body.parents) {
        assert.ok(
          mayDecide(statements.get(parent)?.body, voters),
          `${name}: epoch ${id} lacks votes`,
        );
        open.push(parent);
      }
    }
  }
}

function votersOf(epoch: string, statements: Iterable<SignedStatement>): Set<string> {
  const voters = new Set<string>();
  for (const { id, body } of statements) {
    if (isUnknown(body)) continue;
    const isVote = body.kind === "VOTE" && body.epoch === epoch;
    if (isVote || (body.kind === "EPOCH" && id === epoch)) voters.add(body.by);
  }
  return voters;
}

function mayDecide(parent: SignedStatement["body"] | undefined, voters: Set<string>): boolean {
  if (parent === undefined || isUnknown(parent)) return false;
  if (parent.kind !== "EPOCH" && parent.kind !== "GENESIS") return false;
  const operators = parent.operators.filter(({ key }) => voters.has(key)).length;
  const { keys, threshold } = parent.recovery;
  const recovering = keys.filter((key) => voters.has(key)).length;
  return operators >= parent.threshold || (threshold > 0 && recovering >= threshold);
}
