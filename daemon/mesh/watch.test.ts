import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict } from "./watch.ts";

const member = { admission: "member", linked: true, heardAtMs: 0, idleSinceMs: 0 } as const;

test("a link stays, however idle, until nothing was heard for 90 s", () => {
  assert.equal(verdict(member, 89_000), undefined);
  assert.match(verdict(member, 91_000) ?? "", /90 s/);
  assert.match(verdict({ ...member, idleSinceMs: undefined }, 91_000) ?? "", /90 s/);
});

test("a member that says no hello goes, unless it is in the middle of something", () => {
  const silent = { ...member, linked: false };
  assert.equal(verdict(silent, 19_000), undefined);
  assert.ok(verdict(silent, 21_000));
  assert.equal(verdict({ ...silent, idleSinceMs: undefined }, 21_000), undefined);
});

test("an outsider that asks nothing goes sooner", () => {
  for (const admission of ["joiner", "recovery", "dialled"] as const) {
    const outsider = { ...member, admission, linked: false };
    assert.equal(verdict(outsider, 14_000), undefined);
    assert.ok(verdict(outsider, 16_000));
    assert.equal(verdict({ ...outsider, idleSinceMs: undefined }, 60_000), undefined);
  }
});
