import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { STORE } from "../../../test-mesh/fakes/placed-group.ts";
import { idOf, sha256, type ShardId, type StoreId } from "../../../protocol/ids.ts";
import type { AuditItem } from "./audit-choice.ts";
import {
  dropUnlisted,
  elapse,
  inStore,
  isOpen,
  isRoundDue,
  judgeCensus,
  judgeOpen,
  judgeSuspects,
  lossOf,
  newProgress,
  outcomeOf,
  putRound,
  unanswered,
  type AuditProgress,
  type Verdict,
} from "./audit-progress.ts";

const HOUR = 3_600_000;
const times = { everyMs: 24 * HOUR, patienceMs: 72 * HOUR };
const claimed = [{ group: 0, shards: 100 }];
const items: AuditItem[] = Array.from({ length: 4 }, (_, at) => ({
  group: 0,
  shard: idOf<ShardId>(sha256(`shard ${at}`)),
  sizeBytes: 8192,
  leaf: at === 3 ? null : at,
}));
const [first] = items as [AuditItem];

function asked(): AuditProgress {
  return putRound(newProgress(STORE, times.everyMs), "00", items);
}

function answersOf(verdict: Verdict, of: readonly AuditItem[] = items) {
  return of.map((item) => ({ item, verdict }));
}

test("a round that is answered right proves the holder, and the next comes a day later", () => {
  assert.ok(isRoundDue(newProgress(STORE, times.everyMs), times));
  const done = judgeOpen(asked(), answersOf("right"), 77);
  assert.equal(outcomeOf(done), "proven");
  assert.deepEqual([done.provenAtMs, done.leaves, done.wholes, done.round], [77, 3, 1, 1]);
  assert.ok(!isRoundDue(elapse(done, 23 * HOUR, true, times), times));
  assert.ok(isRoundDue(elapse(done, 24 * HOUR, true, times), times));
});

test("refused and offline are two things, and neither is a failure", () => {
  for (const visit of ["refused", "offline"] as const) {
    const left = unanswered(asked(), visit, 5);
    assert.equal(outcomeOf(left), visit);
    assert.equal(lossOf(left, claimed).shards, 0);
  }
});

test("what is open stays the same question, however much time passes", () => {
  const later = elapse(unanswered(asked(), "offline", 1), 40 * 24 * HOUR, false, times);
  assert.ok(!isRoundDue(later, times));
  assert.deepEqual(later.open, items);
  assert.equal(outcomeOf(later), "offline");
});

test("only presence counts: 72 h of it without an answer is a failure of all that is claimed", () => {
  const offline = elapse(unanswered(asked(), "offline", 1), 1000 * HOUR, false, times);
  const almost = elapse(unanswered(offline, "refused", 2), 72 * HOUR - 1, true, times);
  assert.equal(outcomeOf(almost), "refused");
  const failed = elapse(almost, 1, true, times);
  assert.equal(outcomeOf(failed), "failed");
  assert.deepEqual(lossOf(failed, claimed), { shards: 100, groups: [0] });
  const answered = judgeOpen(failed, answersOf("right"), 9);
  assert.equal(outcomeOf(answered), "proven");
  assert.equal(lossOf(answered, claimed).shards, 0);
});

test("a part that is answered is not asked again, and does not stop the clock of the rest", () => {
  const part = judgeOpen(asked(), answersOf("right", items.slice(0, 3)), 3);
  assert.deepEqual(part.open, items.slice(3));
  assert.equal(outcomeOf(elapse(part, 72 * HOUR, true, times)), "failed");
});

test("one wrong answer fails at once, its group is asked shard by shard, twice wrong is lost", () => {
  const wrong = judgeOpen(
    asked(),
    [...answersOf("wrong", [first]), ...answersOf("right", items.slice(1))],
    3,
  );
  assert.equal(outcomeOf(wrong), "failed");
  assert.deepEqual(wrong.census.groups, [0]);
  assert.equal(lossOf(wrong, claimed).shards, 0);
  const counted = judgeCensus(wrong, answersOf("wrong", items.slice(0, 2)), null, 4);
  assert.ok(!isOpen(counted));
  assert.deepEqual(
    counted.suspects.map(({ times: count }) => count),
    [1, 1],
  );
  const again = counted.suspects.map(({ shard }) => ({ shard, verdict: "wrong" as const }));
  const lost = judgeSuspects(counted, again, 5);
  assert.deepEqual(lossOf(lost, claimed), { shards: 2, groups: [0] });
  const healed = judgeSuspects(
    lost,
    again.map(({ shard }) => ({ shard, verdict: "right" })),
    6,
  );
  assert.equal(outcomeOf(healed), "proven");
  assert.equal(lossOf(healed, claimed).shards, 0);
});

test("a holder that fails and then refuses to be asked again is lost after its time, too", () => {
  const wrong = judgeCensus(
    judgeOpen(asked(), [...answersOf("wrong", [first]), ...answersOf("right", items.slice(1))], 3),
    [],
    null,
    4,
  );
  const refused = judgeSuspects(wrong, [{ shard: first.shard, verdict: "none" }], 5);
  const failed = elapse(refused, 72 * HOUR, true, times);
  assert.equal(lossOf(failed, claimed).shards, 100);
});

test("what the owner took out of its lists is owed no longer", () => {
  const wrong = judgeOpen(asked(), answersOf("wrong", [first]), 3);
  const { open, suspects } = dropUnlisted(wrong, () => false);
  assert.deepEqual([open.length, suspects.length], [0, 0]);
});

test("law: nothing lost without two wrong answers or an expired question; proven only when all is answered", () => {
  const random = new SeededRandom(23);
  for (let run = 0; run < 200; run++) {
    let now = asked();
    let wrongs = 0;
    for (let step = 0; step < 30; step++) {
      const verdict = random.pick(["right", "wrong", "none"] as const);
      const part = random.shuffled(items).slice(0, 1 + random.below(4));
      if (verdict === "wrong") wrongs++;
      const { census, suspects } = now;
      if (random.chance(0.3)) now = elapse(now, random.below(30) * HOUR, random.chance(0.5), times);
      else if (isRoundDue(now, times)) now = putRound(now, "11", part);
      else if (now.open.length > 0)
        now = judgeOpen(now, answersOf(verdict, now.open.slice(0, 2)), step);
      else if (census.groups.length > 0) {
        now = judgeCensus(
          now,
          answersOf(verdict, part),
          random.chance(0.5) ? null : first.shard,
          step,
        );
      } else {
        now = judgeSuspects(
          now,
          suspects.map(({ shard }) => ({ shard, verdict })),
          step,
        );
      }
      const { shards } = lossOf(now, claimed);
      if (shards > 0) assert.ok(now.expired || wrongs >= 2);
      if (outcomeOf(now) === "proven") assert.equal(now.suspects.length, 0);
      if (now.expired) assert.ok(now.presentMs >= times.patienceMs);
    }
  }
});

const MOVED = "ee".repeat(16) as StoreId;

test("in another store nothing is proven or open any more, and what was lost stays lost", () => {
  const suspected = judgeOpen(asked(), answersOf("wrong", [first]), 1);
  const lost = judgeSuspects(suspected, [{ shard: first.shard, verdict: "wrong" }], 2);
  const moved = inStore(lost, MOVED, times.everyMs);
  assert.equal(moved.storeId, MOVED);
  assert.deepEqual(lossOf(moved, claimed), lossOf(lost, claimed));
  assert.ok(!isOpen(moved));
  assert.equal(moved.provenAtMs, null);
  const right = judgeSuspects(moved, [{ shard: first.shard, verdict: "right" }], 3);
  assert.equal(lossOf(right, claimed).shards, 0);
  assert.equal(inStore(lost, lost.storeId, 0), lost);
});

test("who changes its store each time that it is asked runs out of patience all the same", () => {
  let progress = asked();
  for (let at = 0; at < 6; at++) {
    progress = elapse(progress, 13 * HOUR, true, times);
    progress = inStore(progress, idOf<StoreId>(sha256(`store ${at}`).subarray(0, 16)), 24 * HOUR);
    assert.equal(lossOf(progress, claimed).shards, at < 5 ? 0 : 100);
    progress = putRound(progress, "00", items);
  }
  const answered = judgeOpen(progress, answersOf("right"), 9);
  assert.equal(lossOf(answered, claimed).shards, 0);
});
