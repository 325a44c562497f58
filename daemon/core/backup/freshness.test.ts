import assert from "node:assert/strict";
import { test } from "node:test";
import { confirmationsNeeded, freshnessText } from "./freshness.ts";

test("more members confirm than may have been set back together, or all there are", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 20].map(confirmationsNeeded), [1, 1, 2, 3, 3, 3]);
});

test("what is not confirmed is said to be, with the reason", () => {
  assert.equal(freshnessText(3, 3, 4), "confirmed by 3 of 4 members");
  assert.equal(freshnessText(1, 1, 1), "confirmed by 1 of 1 members");
  assert.equal(freshnessText(2, 2, 4), "UNCONFIRMED (confirmed by 2 of 4 members, 3 are needed)");
  assert.equal(freshnessText(0, 0, 4), "UNCONFIRMED (no other member could be asked)");
  assert.match(freshnessText(0, 0, 0), /^UNCONFIRMED/);
});
