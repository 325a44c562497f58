/** Somebody else signs with a site's key: the site's own daemon goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_LAMPORT } from "../../protocol/logs/record-version.ts";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { startMember } from "../../test-mesh/fakes/state-node.ts";
import { ForkingLog } from "../../test-mesh/hostile/forking-log.ts";
import type { State } from "./state.ts";

/** More than are kept of one lineage, of which nothing has been taken up. */
const LOGS = 20;

function founded(): Founding {
  const founding = new Founding("stolen key");
  founding.enrol("quimper");
  return founding;
}

function write(state: State, value: number): Promise<unknown> {
  return state.write([{ class: "site", key: "a", value }]);
}

/** Of many logs of the site's own key those with the lowest ids: they count before others. */
async function crowd(state: State, founding: Founding): Promise<void> {
  const key = testKey("quimper");
  const logs = Array.from({ length: 600 }, (_, at) => {
    return new ForkingLog(founding.meshId, key, { name: String(at) });
  }).toSorted((a, b) => (a.log < b.log ? -1 : 1));
  for (const log of logs.slice(0, LOGS)) {
    for (const { bytes } of [log.snapshot(), log.update({ b: log.log })]) {
      await state.replica.receiveEnvelope(bytes, state.siteId);
    }
  }
}

test("a site takes up all logs of its key, also those of too many that nobody shows", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  await crowd(state, founding);
  await write(state, 1);
  assert.equal(state.view().get("site", "a")?.value, 1);
  assert.equal(state.logHeads().length, 1);
});

test("a site whose open log is crowded out by others of its key goes on", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  await write(state, 1);
  await crowd(state, founding);
  await write(state, 2);
  await write(state, 3);
  assert.deepEqual([...state.doubledSites()], [state.siteId]);
});

test("a count of entries beyond all that can be written takes nothing from the site", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  const log = new ForkingLog(founding.meshId, testKey("quimper"), { started: 2 ** 40 });
  const word = { floor: 2 ** 40, past: Number.MAX_SAFE_INTEGER };
  const taken = await state.replica.receiveEnvelope(log.snapshot(word).bytes, state.siteId);
  assert.equal(taken, "accepted");
  for (const value of [1, 2, 3]) await write(state, value);
  assert.equal(state.view().get("site", "a")?.value, 3);
});

test("a key that has signed the highest number is said to be spent, and the state stays open", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  const key = testKey("quimper");
  const log = new ForkingLog(founding.meshId, key, { started: MAX_LAMPORT });
  await state.replica.receiveEnvelope(log.snapshot({ floor: MAX_LAMPORT }).bytes, state.siteId);
  await assert.rejects(write(state, 1), { code: "E-STATE-FORKED", message: /highest number/ });
  await state.addStatements(founding.statements);
  await assert.rejects(write(state, 1), { code: "E-STATE-FORKED" });
});
