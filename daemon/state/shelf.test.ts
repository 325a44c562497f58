import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type LogId, type MeshId } from "../../protocol/ids.ts";
import { testKey } from "../../test-mesh/fakes/founding.ts";
import { RawLog } from "../../test-mesh/simulation/raw-log.ts";
import { HeldLog } from "./held-log.ts";
import { judgeLogs, MAX_KEPT_LOGS } from "./shelf.ts";

const mesh = idOf<MeshId>(sha256("mesh"));
const key = testKey("brest");

function heldLog(name: string, retires: { log: LogId; seq: number }[] = []): HeldLog {
  const salt = sha256(name).subarray(0, 16);
  const raw = new RawLog({ mesh, key, class: "offer", part: 0, salt });
  const named = retires.map((each) => ({
    ...each,
    head: idOf<never>(sha256("head")),
    lamport: 1,
    started: 1,
  }));
  const first = raw.snap(retires.length + 1, { retires: named });
  const held = new HeldLog(raw.log, first.header);
  held.append(first, 0);
  return held;
}

test("of more live logs than are kept those with the highest ids count nothing and say nothing", () => {
  const low = Array.from({ length: 40 }, (_, index) => heldLog(`log ${index}`))
    .toSorted((a, b) => (a.log < b.log ? -1 : 1))
    .slice(0, MAX_KEPT_LOGS);
  const [first] = low;
  assert.ok(first);
  // One that would take up a log that stays, if it had a say itself.
  let number = 0;
  let loud;
  do loud = heldLog(`loud ${number++}`, [{ log: first.log, seq: 1 }]);
  while (loud.log < (low.at(-1)?.log ?? ""));
  const quiet = heldLog("quiet");
  const counted = (row: readonly HeldLog[]): LogId[] =>
    judgeLogs(row, ({ seq }) => seq).counting.map(({ held }) => held.log);
  const names = low.map(({ log }) => log);
  assert.deepEqual(counted(low), names);
  // It takes the place of what it takes up, on nodes that have it and on those that get it.
  assert.deepEqual(counted([...low, loud]), [...names.slice(1), loud.log]);
  const more = [...low, loud, quiet].toSorted((a, b) => (a.log < b.log ? 1 : -1));
  const all = counted(more);
  assert.equal(all.length, MAX_KEPT_LOGS);
  assert.deepEqual(counted(more.filter(({ log }) => log === first.log || all.includes(log))), all);
});
