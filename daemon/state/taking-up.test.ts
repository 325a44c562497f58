/** How logs of one author take up one another, whatever the author says and whoever holds what. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { ForkingLog } from "../../test-mesh/hostile/forking-log.ts";
import { bring, startMember, startState } from "../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { State } from "./state.ts";

const DAY_MS = 24 * 3600 * 1000;

function founded(): { founding: Founding; log: (name: string, started: number) => ForkingLog } {
  const founding = new Founding("taking up");
  for (const name of ["quimper", "brest", "thief"]) founding.enrol(name);
  const log = (name: string, started: number) =>
    new ForkingLog(founding.meshId, testKey("thief"), { name, started });
  return { founding, log };
}

async function take(state: State, ...entries: readonly Envelope[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const { bytes } of entries) {
    results.push(await state.replica.receiveEnvelope(bytes, state.siteId));
  }
  return results;
}

function shown(state: State): (readonly [string, unknown])[] {
  return state
    .view()
    .entries("site")
    .map(({ key, value }) => [key, value] as const);
}

test("names that later snapshots leave out give the log back, before and after a restart", async () => {
  const { founding, log } = founded();
  const first = log("first", 1);
  const entries = [first.snapshot(), first.update({ a: "value" })];
  const second = log("second", 10);
  const disk = new FakeDisk();
  const state = await startMember("quimper", founding.statements, disk);
  await take(state, ...entries, second.snapshot({ retires: [first.taken()] }));
  assert.deepEqual(shown(state), []);
  await take(state, second.snapshot(), second.snapshot());
  assert.deepEqual(shown(state), [["a", "value"]]);
  const again = await startState("quimper", disk);
  assert.deepEqual(shown(again), [["a", "value"]]);
  assert.equal(again.replica.stateDigest(), state.replica.stateDigest());
  const late = await startMember("brest", founding.statements);
  await bring(again, late);
  assert.equal(late.view().hash, state.view().hash);
  assert.equal(late.replica.stateDigest(), state.replica.stateDigest());
});

test("a log that was taken up is in no digest, and goes after 90 days by this node's clock", async () => {
  const { founding, log } = founded();
  const time = new FakeTime(1);
  const disk = new FakeDisk();
  const state = await startState("quimper", disk, time.clock());
  await state.addStatements(founding.statements);
  const [first, second] = [log("first", 1), log("second", 10)];
  const old = [first.snapshot(), first.update({ a: "value" })];
  await take(state, ...old);
  await take(state, second.snapshot({ retires: [first.taken()], wallMs: 0 }));
  const other = await startMember("brest", founding.statements);
  assert.deepEqual(
    state.logHeads().map((head) => head.log),
    [second.log],
  );
  await bring(state, other);
  assert.equal(other.replica.stateDigest(), state.replica.stateDigest());
  const entriesOfFirst = () =>
    [...disk.content.keys()].filter((key) => key.startsWith(`entry/${first.log}`)).length;
  assert.equal(entriesOfFirst(), 2);
  await time.advance(91 * DAY_MS);
  await take(state, second.snapshot({ retires: [first.taken()] }));
  assert.equal(entriesOfFirst(), 0);
  // Its entries come again: nobody is to blame, and nothing changes.
  assert.deepEqual(await take(state, ...old), ["known", "known"]);
  assert.deepEqual(shown(state), []);
});

test("the end of a log that was taken up too early comes to those who never had it", async () => {
  const { founding, log } = founded();
  const [first, second] = [log("first", 1), log("second", 10)];
  const early = [first.snapshot(), first.update({ a: "early" })];
  const taken = second.snapshot({ retires: [first.taken()] });
  const tail = first.update({ b: "lost" });
  const state = await startMember("quimper", founding.statements);
  assert.deepEqual(await take(state, taken, ...early), ["accepted", "known", "known"]);
  assert.deepEqual(shown(state), []);
  assert.deepEqual(await take(state, tail), ["accepted"]);
  assert.deepEqual(shown(state), [["b", "lost"]]);
  const other = await startMember("brest", founding.statements);
  await bring(state, other);
  assert.equal(other.replica.stateDigest(), state.replica.stateDigest());
  assert.deepEqual(shown(other), [["b", "lost"]]);
  // A snapshot in the tail repeats what was taken up, and does not bring it back.
  await take(state, first.snapshot());
  assert.deepEqual(shown(state), [["b", "lost"]]);
});

test("of many logs side by side all nodes keep the same, in any order", async () => {
  const { founding, log } = founded();
  const logs = Array.from({ length: 24 }, (_, index) => log(`log ${index}`, index + 1));
  const entries = logs.map((each, index) => [each.snapshot(), each.update({ [`k${index}`]: "v" })]);
  const states = await Promise.all(
    ["quimper", "brest"].map((name) => startMember(name, founding.statements)),
  );
  const [one, two] = states;
  assert.ok(one && two);
  await take(one, ...entries.flat());
  await take(two, ...entries.toReversed().flat());
  assert.equal(one.logHeads().length, 16);
  assert.equal(one.replica.stateDigest(), two.replica.stateDigest());
  assert.equal(one.view().hash, two.view().hash);
  assert.equal(shown(one).length, 4);
});

test("a box whose log another one displaced writes anew what it had written there", async () => {
  const { founding } = founded();
  const image = new FakeDisk();
  let main = await startMember("quimper", founding.statements, image);
  await main.write([{ class: "note", key: "shared", value: "old" }]);
  const copy = new FakeDisk();
  copy.restore(image.image());
  const double = await startState("quimper", copy);
  await double.write([{ class: "note", key: "double", value: "kept" }]);
  // The box goes on through so many starts that the floor passes the log of its double.
  for (let start = 0; start < 70; start++) {
    main = await startState("quimper", image);
    await main.write([{ class: "note", key: "count", value: start }]);
  }
  assert.equal(main.logHeads().length, 1);
  await bring(main, double);
  await double.write([{ class: "note", key: "after", value: "written" }]);
  const values = double
    .view()
    .entries("note")
    .map(({ key, value }) => [key, value]);
  assert.deepEqual(values, [
    ["after", "written"],
    ["count", 69],
    ["double", "kept"],
    ["shared", "old"],
  ]);
  await bring(double, main);
  assert.equal(main.view().hash, double.view().hash);
  assert.equal(main.replica.stateDigest(), double.replica.stateDigest());
});
