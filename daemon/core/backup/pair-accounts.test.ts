import assert from "node:assert/strict";
import { test } from "node:test";
import { PlacedGroup, siteOf } from "../../../test-mesh/fakes/placed-group.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { accountOf } from "./pair-accounts.ts";

const [home, a, b, c, d] = ["home", "a", "b", "c", "d"].map(siteOf) as [
  SiteId,
  SiteId,
  SiteId,
  SiteId,
  SiteId,
];
const members = new Set([home, a, b, c, d]);

test("given, held and proven are three figures, and nothing is owed the other way", () => {
  const placed = new PlacedGroup([a, b, c]);
  const { bytes, view } = placed;
  placed.says(home, a, { outcome: "proven", given: 30, held: 20, proven: 10 });
  placed.saysLost(home, b);
  const of = (at: SiteId) => {
    const { givenBytes, heldBytes, provenBytes } = accountOf(view, members, home, at);
    return [givenBytes, heldBytes, provenBytes];
  };
  assert.deepEqual(of(a), [bytes, bytes, bytes]);
  assert.deepEqual(of(b), [bytes, bytes, 0]);
  assert.deepEqual(of(d), [0, 0, 0]);
  const { givenByteDays, heldByteDays, provenByteDays } = accountOf(view, members, home, a);
  assert.deepEqual([givenByteDays, heldByteDays, provenByteDays], [30, 20, 10]);
  assert.equal(accountOf(view, members, a, home).givenBytes, 0);
});

test("an owner cannot deny what two co-holders have seen; one alone or a stranger adds nothing", () => {
  const placed = new PlacedGroup([a, b, c]);
  const proven = (): number => accountOf(placed.view, members, home, a).provenByteDays;
  placed.says(home, a, { proven: 1 });
  placed.says(b, a, { proven: 50 });
  placed.says(d, a, { proven: 90 });
  assert.equal(proven(), 1);
  placed.says(c, a, { proven: 40 });
  assert.equal(proven(), 40);
});
