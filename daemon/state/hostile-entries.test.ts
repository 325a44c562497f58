/** What a member may sign with its own key to harm others, and what comes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { ForkingLog } from "../../test-mesh/hostile/forking-log.ts";
import { startMember } from "../../test-mesh/fakes/state-node.ts";
import { signSiteRelease } from "../../protocol/statements/site-statement.ts";
import { idOf, type SiteId } from "../../protocol/ids.ts";
import type { State } from "./state.ts";

function founded(): Founding {
  const founding = new Founding("hostile");
  founding.enrol("quimper");
  founding.enrol("thief");
  return founding;
}

function value(x: number, l = 1): unknown {
  return { l, s: [], x };
}

function keysOf(state: State): string[] {
  return state
    .view()
    .entries("site")
    .map(({ key }) => key);
}

test("a version that inherits its value is refused", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  const log = new ForkingLog(founding.meshId, testKey("thief"));
  await state.replica.receiveEnvelope(log.snapshot().bytes, state.siteId);
  const packed: unknown = JSON.parse('{"__proto__":{"l":1,"s":[],"x":"not counted"}}');
  const taken = await state.replica.receiveEnvelope(log.packed({ a: packed }).bytes, state.siteId);
  assert.deepEqual(taken, { refused: "E-STATE-CONTENT" });
});

test("only one unfit entry is tried for one place of a log", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  const log = new ForkingLog(founding.meshId, testKey("thief"));
  await state.replica.receiveEnvelope(log.snapshot().bytes, state.siteId);
  const unfit = log.fork().packed({ a: value(1, 9) });
  const other = log.fork().packed({ b: value(1, 9) });
  const first = await state.replica.receiveEnvelope(unfit.bytes, state.siteId);
  assert.deepEqual(first, { refused: "E-STATE-CONTENT" });
  const second = await state.replica.receiveEnvelope(other.bytes, state.siteId);
  assert.deepEqual(second, { refused: "E-STATE-FORK" });
  assert.equal(state.authority().forkedLogs.get(log.log)?.lastSeq, 1);
});

test("a cutoff that comes together with the entries before it leaves those", async () => {
  const founding = founded();
  const log = new ForkingLog(founding.meshId, testKey("thief"));
  const entries = [
    log.snapshot(),
    log.packed({ a: value(1) }),
    log.packed({ b: value(2) }),
    log.packed({ c: value(3) }),
  ];
  const last = entries[2];
  assert.ok(last);
  const thief = testKey("thief");
  const release = signSiteRelease(thief, {
    mesh: founding.meshId,
    old: idOf<SiteId>(thief.publicKey),
    new: idOf<SiteId>(testKey("heir").publicKey),
    heads: [{ log: last.log, seq: 3, head: last.id }],
  });
  const state = await startMember("quimper", founding.statements);
  founding.enrol("heir", { release });
  await Promise.all([
    ...entries.map(({ bytes }) => state.replica.receiveEnvelope(bytes, state.siteId)),
    state.addStatements(founding.statements),
  ]);
  assert.deepEqual(keysOf(state), ["a", "b"]);
});
