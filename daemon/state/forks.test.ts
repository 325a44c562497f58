/** What comes of an author that signs two histories of one log, also behind what is pruned. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { bring, startMember, startState } from "../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { ForkingLog } from "../../test-mesh/hostile/forking-log.ts";
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { State } from "./state.ts";

const DAY_MS = 24 * 3600 * 1000;

function founded() {
  const founding = new Founding("forks");
  for (const name of ["quimper", "brest", "thief"]) founding.enrol(name);
  const log = (name = "log") => new ForkingLog(founding.meshId, testKey("thief"), { name });
  return { founding, log };
}

async function take(state: State, entries: readonly Envelope[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const { bytes } of entries) {
    results.push(await state.replica.receiveEnvelope(bytes, state.siteId));
  }
  return results;
}

function keys(state: State): string[] {
  return state
    .view()
    .entries("site")
    .map(({ key }) => key);
}

function assertEqual(one: State, other: State): void {
  assert.equal(one.replica.statementDigest(), other.replica.statementDigest());
  assert.equal(one.replica.stateDigest(), other.replica.stateDigest());
  assert.equal(one.view().hash, other.view().hash);
}

test("two histories of a log end where they part, on nodes that had one each", async () => {
  const { founding, log } = founded();
  const left = log();
  const common = [left.snapshot(), left.update({ a: "both" })];
  const right = left.fork();
  const quimper = await startMember("quimper", founding.statements);
  const disk = new FakeDisk();
  const brest = await startMember("brest", founding.statements, disk);
  await take(quimper, [...common, left.update({ b: "left" }), left.update({ c: "left" })]);
  await take(brest, [...common, right.update({ b: "right" })]);
  assert.deepEqual(keys(quimper), ["a", "b", "c"]);
  // Later entries alone show no fork; the headers from the beginning do.
  await bring(brest, quimper);
  await bring(quimper, brest);
  await bring(brest, quimper);
  assert.deepEqual(keys(quimper), ["a"]);
  assert.deepEqual(keys(brest), ["a"]);
  assertEqual(quimper, brest);
  const again = await startState("brest", disk);
  assertEqual(quimper, again);
  const late = await startMember("quimper", founding.statements);
  await bring(again, late);
  assertEqual(late, again);
});

test("a fork is found behind snapshots when its place is pruned on both sides", async () => {
  const { founding, log } = founded();
  const left = log();
  const common = [left.snapshot(), left.update({ a: "both" })];
  const right = left.fork();
  const nodes: { state: State; disk: FakeDisk }[] = [];
  for (const [name, branch] of [
    ["quimper", left],
    ["brest", right],
  ] as const) {
    const time = new FakeTime(1);
    const disk = new FakeDisk();
    const state = await startState(name, disk, time.clock());
    await state.addStatements(founding.statements);
    const own = [branch.update({ [name]: name }), branch.snapshot(), branch.snapshot()];
    await take(state, [...common, ...own]);
    await time.advance(91 * DAY_MS);
    await take(state, [branch.snapshot()]);
    const entries = [...disk.content.keys()].filter((key) => key.startsWith("entry/"));
    assert.equal(entries.length, 2, "only the last two snapshots are left");
    nodes.push({ state, disk });
  }
  const [quimper, brest] = nodes;
  assert.ok(quimper && brest);
  await bring(quimper.state, brest.state);
  await bring(brest.state, quimper.state);
  await bring(quimper.state, brest.state);
  assert.equal(quimper.state.authority().forkedLogs.get(left.log)?.lastSeq, 1);
  assertEqual(quimper.state, brest.state);
  assertEqual(await startState("brest", brest.disk), quimper.state);
});

test("who comes late takes the chain of snapshots over what is pruned everywhere", async () => {
  const { founding, log } = founded();
  const time = new FakeTime(1);
  const state = await startState("quimper", new FakeDisk(), time.clock());
  await state.addStatements(founding.statements);
  const branch = log();
  await take(state, [branch.snapshot(), branch.update({ a: "1" }), branch.snapshot()]);
  const early = await startMember("brest", founding.statements);
  await bring(state, early);
  await take(state, [branch.update({ b: "2" }), branch.snapshot(), branch.snapshot()]);
  await time.advance(91 * DAY_MS);
  const newest = branch.snapshot();
  await take(state, [newest]);
  // The snapshot alone proves nothing: anybody could start a log anywhere.
  const late = await startMember("brest", founding.statements);
  assert.deepEqual(await take(late, [newest]), ["waiting"]);
  const disk = new FakeDisk();
  const other = await startMember("brest", founding.statements, disk);
  await bring(state, other);
  assertEqual(other, state);
  assert.deepEqual(keys(other), ["a", "b"]);
  assertEqual(await startState("brest", disk), state);
  // And who has the beginning goes on from there.
  await bring(state, early);
  assertEqual(early, state);
});

test("an author with eight forked logs gets no other one", async () => {
  const { founding, log } = founded();
  const state = await startMember("quimper", founding.statements);
  const honest = log("honest");
  await take(state, [honest.snapshot(), honest.update({ honest: "yes" })]);
  for (let index = 0; index < 8; index++) {
    const left = log(`forked ${index}`);
    const entries = [left.snapshot(), left.update({ [`kept ${index}`]: "yes" })];
    const right = left.fork();
    await take(state, [...entries, left.update({ x: "left" }), right.update({ x: "right" })]);
  }
  assert.equal(state.authority().mayOpenLogs(honest.author), false);
  const fresh = log("fresh");
  assert.deepEqual(await take(state, [fresh.snapshot()]), [{ refused: "E-STATE-RIGHT" }]);
  const shown = keys(state);
  assert.ok(shown.length > 0 && shown.every((key) => key.startsWith("kept")), shown.join());
  const late = await startMember("brest", founding.statements);
  await bring(state, late);
  assertEqual(state, late);
});
