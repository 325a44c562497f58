import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { idOf, sha256, type SiteId } from "../../../protocol/ids.ts";
import { MAX_OF_PEER, MAX_TRANSFERS, STALLED_MS, turnOf } from "./transfer-turns.ts";
import type { RunningTransfer } from "./transfer-turns.ts";

const sites = Array.from({ length: 40 }, (_, at) => idOf<SiteId>(sha256(`site ${at}`)));
const [first, second, third] = sites as [SiteId, SiteId, SiteId];

function several(from: SiteId, count: number, progressMs = 0): RunningTransfer[] {
  return Array.from({ length: count }, (_, at) => ({ from, progressMs: progressMs + at }));
}

test("a transfer begins while there is room, up to a number for each peer", () => {
  assert.deepEqual(turnOf([], first, 0), { may: true });
  assert.deepEqual(turnOf(several(first, MAX_OF_PEER - 1), first, 0), { may: true });
  assert.deepEqual(turnOf(several(first, MAX_OF_PEER), first, 0), { may: false });
});

test("two who hold all make way for a third, what brought nothing for the longest first", () => {
  const running = [...several(first, 16, 500), ...several(second, 16, 900)];
  assert.deepEqual(turnOf(running, third, 2000), { may: true, instead: running[0] });
});

test("where all have as few, only what brought nothing for half an hour makes way", () => {
  const running = sites.slice(0, MAX_TRANSFERS).map((from, at) => ({ from, progressMs: at }));
  const newcomer = sites[39] ?? first;
  assert.deepEqual(turnOf(running, newcomer, STALLED_MS - 1), { may: false });
  assert.deepEqual(turnOf(running, newcomer, STALLED_MS), { may: true, instead: running[0] });
});

test("law: never more than there is room for, and all who want one soon have as many but for one", () => {
  const random = new SeededRandom(5);
  for (let round = 0; round < 12; round++) {
    const peers = sites.slice(0, Math.floor(random.between(2, 12)));
    let running: RunningTransfer[] = [];
    const ask = (peer: SiteId, nowMs: number): void => {
      const { may, instead } = turnOf(running, peer, nowMs);
      running = running.filter((one) => one !== instead);
      if (may) running.push({ from: peer, progressMs: nowMs });
      assert.ok(running.length <= MAX_TRANSFERS);
    };
    for (let nowMs = 0; nowMs < 600; nowMs++) {
      ask(peers[Math.floor(random.between(0, peers.length))] ?? first, nowMs);
    }
    const counts = peers.map((peer) => running.filter(({ from }) => from === peer).length);
    const fair = Math.min(MAX_OF_PEER, MAX_TRANSFERS / peers.length);
    assert.ok(Math.min(...counts) >= Math.floor(fair) - 1, counts.join(" "));
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(" "));
  }
});
