import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../observe/log.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { State } from "./state.ts";

let starts = 0;

/** Starts the state of a site on a disk; each start draws other random bytes. */
function openState(name: string, disk: FakeDisk): Promise<State> {
  const clock = new FakeTime(starts++).clock();
  return State.open({ store: disk.open(), clock, log: silentLogger, siteKey: testKey(name) });
}

/** Brings everything that one node has to another, as replication would. */
async function bring(from: State, to: State): Promise<void> {
  for (const id of from.replica.statementIds()) {
    const bytes = from.replica.statement(id);
    assert.ok(bytes);
    await to.replica.receiveStatement(bytes, from.siteId);
  }
  for (const { log } of from.logHeads()) {
    for await (const bytes of from.replica.envelopesFrom(log, 0)) {
      await to.replica.receiveEnvelope(bytes, from.siteId);
    }
  }
}

test("a write is in the view, and there again after a start", async () => {
  const founding = new Founding();
  const quimper = founding.enrol("quimper");
  const disk = new FakeDisk();
  const state = await openState("quimper", disk);
  await state.addStatements(founding.statements);
  assert.equal(state.meshId, founding.meshId);
  const { versions } = await state.write([
    { class: "site", key: "service/web", value: { name: "web", ports: [80] } },
  ]);
  assert.equal(versions.length, 1);
  assert.deepEqual(state.view().get("site", "service/web", quimper)?.value, {
    name: "web",
    ports: [80],
  });
  const { hash } = state.view();
  disk.cutPower();
  const again = await openState("quimper", disk);
  assert.equal(again.view().hash, hash);
  assert.equal(again.replica.stateDigest(), state.replica.stateDigest());
});

test("two nodes with the same entries show the same", async () => {
  const founding = new Founding();
  const quimper = founding.enrol("quimper");
  const brest = founding.enrol("brest");
  founding.grant(quimper, "zone", null);
  founding.grant(brest, "zone", "bzh.example");
  const a = await openState("quimper", new FakeDisk());
  const b = await openState("brest", new FakeDisk());
  await a.addStatements(founding.statements);
  await b.addStatements(founding.statements.toReversed());
  await a.write([{ class: "zone", key: "bzh.example/www/A/1", value: { data: "192.0.2.1" } }]);
  await bring(a, b);
  assert.equal(b.view().hash, a.view().hash);
  await b.write([{ class: "zone", key: "bzh.example/www/A/1", value: { data: "192.0.2.2" } }]);
  await bring(b, a);
  assert.equal(b.view().hash, a.view().hash);
  assert.equal(a.replica.stateDigest(), b.replica.stateDigest());
  const entry = a.view().get("zone", "bzh.example/www/A/1");
  assert.deepEqual(entry?.value, { data: "192.0.2.2" });
  assert.deepEqual(entry?.conflicts, []);
  await assert.rejects(
    b.write([{ class: "zone", key: "other.example/www/A/1", value: { data: "192.0.2.2" } }]),
    { code: "E-STATE-RIGHT" },
  );
});
