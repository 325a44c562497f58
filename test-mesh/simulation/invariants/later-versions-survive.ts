/** What a later version made is kept bit by bit by those that do not know it, and changes nothing. */
import assert from "node:assert/strict";
import { encodeStatement, isUnknown } from "../../../protocol/statements/statement.ts";
import type { Healed } from "../heal.ts";

export function laterVersionsSurvive({ world, sites }: Healed): void {
  const [first] = sites;
  assert.ok(first !== undefined);
  const later = first.state.statements().filter(({ body }) => isUnknown(body));
  for (const { state, name } of sites) {
    for (const statement of later) {
      const bytes = state.replica.statement(statement.id);
      assert.ok(bytes !== undefined, `${name} lost a statement of a later version`);
      assert.deepEqual(Buffer.from(bytes), Buffer.from(encodeStatement(statement)));
      assert.ok(state.authority().idle.has(statement.id), "it has no effect here");
      world.sometimes.reached("a statement of a later version is kept");
    }
    assert.deepEqual(state.authority().features, first.state.authority().features);
  }
}
