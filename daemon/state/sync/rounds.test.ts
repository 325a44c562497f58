import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type SiteId } from "../../../protocol/ids.ts";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import type { RoundOutcome } from "./round.ts";
import { Rounds } from "./rounds.ts";

const peer = (index: number): SiteId => idOf<SiteId>(sha256(`peer ${index}`));
const equal: RoundOutcome = { equal: true, statements: 0, envelopes: 0 };
const barren: RoundOutcome = { ...equal, equal: false };

/** Rounds that last as told; notes when each began. */
function makeWorld(lastsMs: number, outcome: RoundOutcome | "failed" = equal) {
  const time = new FakeTime();
  const clock = time.clock();
  const began: { peer: SiteId; atMs: number }[] = [];
  let most = 0;
  let now = 0;
  const rounds = new Rounds(clock, async (id) => {
    began.push({ peer: id, atMs: time.nowMs });
    most = Math.max(most, ++now);
    await new Promise<void>((resolve) => clock.after(lastsMs, resolve));
    now--;
    return outcome === "failed" ? undefined : outcome;
  });
  return { time, rounds, began, most: () => most };
}

test("a round at once with each new link, a few at a time, then one every 30 to 120 s", async () => {
  const { time, rounds, began, most } = makeWorld(100);
  for (let index = 0; index < 10; index++) rounds.begin(peer(index), 0);
  await time.advance(1_000);
  assert.equal(new Set(began.map((round) => round.peer)).size, 10);
  assert.equal(began.length, 10);
  assert.equal(most(), 3);
  await time.advance(1_200_000);
  for (let index = 0; index < 10; index++) {
    const times = began.filter((round) => round.peer === peer(index)).map(({ atMs }) => atMs);
    assert.ok(times.length >= 10, `${times.length} rounds in 20 minutes`);
    for (const [i, atMs] of times.slice(1).entries()) {
      const pauseMs = atMs - (times[i] ?? 0);
      assert.ok(pauseMs >= 30_000 && pauseMs <= 121_000, `${pauseMs} ms`);
    }
  }
});

test("a round that hangs gives its place to the others", async () => {
  const { time, rounds, began } = makeWorld(600_000);
  for (let index = 0; index < 6; index++) rounds.begin(peer(index), 0);
  await time.advance(9_000);
  assert.equal(began.length, 3);
  await time.advance(2_000);
  assert.equal(began.length, 6);
});

test("a peer that differs and has nothing is asked ever more rarely, however it calls", async () => {
  for (const outcome of [barren, "failed"] as const) {
    const { time, rounds, began } = makeWorld(0, outcome);
    rounds.begin(peer(0), 0);
    for (let second = 0; second < 3_600; second++) {
      await time.advance(1_000);
      rounds.request(peer(0), 0);
    }
    assert.ok(began.length >= 55 && began.length <= 75, `${began.length} rounds in an hour`);
  }
});

test("what is asked for during a round is done right after it, once", async () => {
  const { time, rounds, began } = makeWorld(1_000);
  rounds.begin(peer(0), 0);
  await time.advance(500);
  for (let i = 0; i < 5; i++) rounds.request(peer(0), 0);
  await time.advance(5_000);
  assert.deepEqual(
    began.map(({ atMs }) => atMs),
    [0, 1_000],
  );
});

test("no round begins after the link ended", async () => {
  const { time, rounds, began } = makeWorld(1_000);
  rounds.begin(peer(0), 0);
  await time.advance(500);
  rounds.end(peer(0));
  rounds.request(peer(0), 0);
  await time.advance(600_000);
  assert.equal(began.length, 1);
  rounds.begin(peer(0), 0);
  await time.advance(10);
  assert.equal(began.length, 2);
});

test("a pair that was found equal in the peer's round waits anew, whatever was planned", async () => {
  const { time, rounds, began } = makeWorld(0, barren);
  rounds.begin(peer(0), 0);
  await time.advance(10);
  for (let round = 0; round < 20; round++) {
    rounds.request(peer(0), 0);
    rounds.settle(peer(0));
    await time.advance(29_000);
  }
  assert.equal(began.length, 1);
  await time.advance(120_000);
  assert.ok(began.length >= 2);
});
