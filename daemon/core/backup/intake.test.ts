import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, sha256, type StatementId } from "../../../protocol/ids.ts";
import { accountAt, dailyBytes, roomFor } from "./intake.ts";
import { DAY_MS } from "./retention-lock.ts";

const GIB = 1024 ** 3;
const OLD = idOf<StatementId>(sha256("old"));
const NEW = idOf<StatementId>(sha256("new"));

test("two in a hundred a day, and never more than is lent", () => {
  assert.equal(dailyBytes(1000 * GIB, undefined), 20 * GIB);
  assert.equal(dailyBytes(GIB, undefined), 256 * 1024 ** 2);
  assert.equal(dailyBytes(1000, undefined), 1000);
  assert.equal(dailyBytes(GIB, 5), 5);
  assert.equal(dailyBytes(GIB, 2 * GIB), GIB);
});

test("whoever takes all there is gets what the days bring, whatever the pace of asking", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(DAY_MS), { maxLength: 50 }), (steps) => {
      let nowMs = 0;
      let taken = 0;
      let account = accountAt(undefined, OLD, 1000, 0);
      for (const stepMs of steps) {
        nowMs += stepMs;
        account = accountAt(account, OLD, 1000, nowMs);
        taken += account.bytes;
        account = { ...account, bytes: 0 };
      }
      assert.ok(taken <= 1000 + (1000 * nowMs) / DAY_MS + 1);
    }),
  );
});

test("a new word of the owner opens a full bucket and the room that is kept back", () => {
  const spent = { ...accountAt(undefined, OLD, 1000, 0), bytes: 0, firstDone: true };
  const later = 20 * DAY_MS;
  assert.equal(roomFor(accountAt(spent, OLD, 1000, later), OLD, 10_000, later), 9000);
  const named = accountAt(spent, NEW, 1000, later);
  assert.equal(named.bytes, 1000);
  assert.equal(named.firstDone, true);
  assert.equal(roomFor(named, NEW, 10_000, later), 10_000);
});

test("a box that has two words of its owner gains nothing by using them in turn", () => {
  let account = { ...accountAt(undefined, OLD, 1000, 0), firstDone: true };
  const later = 20 * DAY_MS;
  account = { ...accountAt(account, NEW, 1000, later), bytes: 0 };
  for (const word of [OLD, NEW, OLD]) {
    const now = accountAt(account, word, 1000, later);
    assert.equal(now.bytes, 0);
    assert.equal(now.sinceMs, later);
    account = now;
  }
  assert.equal(roomFor(account, OLD, 10_000, later), 9000);
  assert.equal(roomFor(account, NEW, 10_000, later), 10_000);
  assert.equal(roomFor(account, NEW, 10_000, later + 14 * DAY_MS), 9000);
});
