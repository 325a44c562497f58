/** Whatever its clock says, a node that holds the same shows the same. */
import assert from "node:assert/strict";
import { encodeStatement } from "../../../protocol/statements/statement.ts";
import { FreshState } from "../fresh-state.ts";
import type { Healed } from "../heal.ts";

const TEN_YEARS_MS = 10 * 365 * 24 * 3_600_000;

export async function clocksChangeNothing({ sites, entries, random }: Healed): Promise<void> {
  const [first] = sites;
  assert.ok(first !== undefined);
  const wallOffsetMs = random.pick([-TEN_YEARS_MS, TEN_YEARS_MS]);
  const fresh = new FreshState({ wallOffsetMs });
  const statements = first.state.statements().map(encodeStatement);
  await fresh.feed(statements, random.shuffled(entries));
  assert.equal(fresh.state.view().hash, first.state.view().hash);
  assert.equal(fresh.state.replica.stateDigest(), first.state.replica.stateDigest());
}
