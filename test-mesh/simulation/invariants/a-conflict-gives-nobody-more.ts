/** Authority never grows by a conflicting epoch, and never becomes empty. */
import assert from "node:assert/strict";
import { authorize } from "../../../daemon/core/authority/authorize.ts";
import { isUnknown } from "../../../protocol/statements/statement.ts";
import type { Healed } from "../heal.ts";

export function aConflictGivesNobodyMore({ world, sites }: Healed): void {
  const [first] = sites;
  assert.ok(first !== undefined);
  const statements = first.state.statements();
  const authority = authorize(statements);
  assert.ok(authority.operators.size > 0, "somebody can always decide");
  assert.ok(authority.sites.size > 0);

  const epochs = statements.filter(({ body }) => !isUnknown(body) && body.kind === "EPOCH");
  const byNumber = Map.groupBy(epochs, ({ body }) => ("n" in body ? body.n : 0));
  for (const rivals of byNumber.values()) {
    if (rivals.length < 2) continue;
    // As it was while these were the newest: nothing had gone on from them yet.
    const ids = new Set<string>(rivals.map(({ id }) => id));
    const number = rivals[0]?.body;
    if (number === undefined || !("n" in number)) continue;
    const until = statements.filter(({ body }) => !("n" in body) || body.n <= number.n);
    const contested = authorize(until);
    if (!contested.epoch.contested) continue;
    world.sometimes.reached("epochs that contradict each other");
    assert.ok(contested.operators.size > 0, "somebody can still decide");
    for (const { id } of rivals) {
      // With only one of them, and nobody's acknowledgement, it counts alone.
      const alone = authorize(
        until
          .filter((each) => !ids.has(each.id) || each.id === id)
          .filter(({ body }) => {
            return isUnknown(body) || body.kind !== "ACK";
          }),
      );
      if (alone.epoch.ids.length !== 1 || alone.epoch.ids[0] !== id) continue;
      for (const operator of contested.operators.keys()) {
        assert.ok(alone.operators.has(operator), `${operator} decides by the conflict alone`);
      }
      for (const { site, class: recordClass, selector } of contested.grants) {
        const has = alone.grants.some(
          (grant) =>
            grant.site === site && grant.class === recordClass && grant.selector === selector,
        );
        assert.ok(has, "a right that comes of the conflict alone");
      }
    }
  }
}
