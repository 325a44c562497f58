/** Several boxes that run with one key: what each acknowledged shows, and they do not chase one another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogId } from "../../../protocol/ids.ts";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { entriesOf, startMember } from "../../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import { FreeLog } from "../../../test-mesh/hostile/free-log.ts";
import { honest } from "../../../test-mesh/hostile/yjs-attacks.ts";
import type { State } from "../state.ts";

function founded(): Founding {
  const founding = new Founding("doubles");
  for (const name of ["quimper", "brest"]) founding.enrol(name);
  return founding;
}

/** All that one has, at once, and what the other makes of it. */
async function give(from: State, to: State): Promise<void> {
  const taking = (await entriesOf(from)).map((entry) =>
    to.replica.receiveEnvelope(entry, from.siteId),
  );
  await Promise.all(taking);
  await to.addStatements([]);
}

async function giveAround(states: readonly State[]): Promise<void> {
  for (const from of states) {
    for (const to of states) if (from !== to) await give(from, to);
  }
}

function note(state: State, key: string): unknown {
  return state.view().get("note", key)?.value;
}

function write(state: State, key: string): Promise<unknown> {
  return state.write([{ class: "note", key, value: key }]);
}

test("two boxes with one key open no log without a new record, and are reported", async () => {
  const { statements } = founded();
  const [one, before, brest] = [
    await startMember("quimper", statements),
    await startMember("quimper", statements),
    await startMember("brest", statements),
  ];
  await write(one, "one");
  await write(before, "two");
  const two = await startMember("quimper", statements);
  await giveAround([one, before, two]);
  await write(two, "three");
  const seen = new Set<LogId>();
  const around = async (): Promise<void> => {
    await giveAround([one, two, brest]);
    for (const state of [one, two]) for (const { log } of state.logHeads()) seen.add(log);
  };
  await around();
  await around();
  const logs = seen.size;
  for (let round = 0; round < 5; round++) await around();
  assert.equal(seen.size, logs);
  for (const [index, state] of [one, two, one, two].entries()) {
    await write(state, `late ${index}`);
    assert.equal(note(state, `late ${index}`), `late ${index}`);
    await around();
  }
  for (const state of [one, two, brest]) {
    assert.deepEqual([...state.doubledSites()], [one.siteId]);
    assert.equal(state.view().entries("note").length, 7);
    assert.equal(state.view().hash, brest.view().hash);
  }
});

test("what a box wrote before it was put back to an older image stands beside what it wrote since", async () => {
  const { statements } = founded();
  const disk = new FakeDisk();
  const before = await startMember("quimper", statements, disk);
  const brest = await startMember("brest", statements);
  const image = disk.image();
  await write(before, "other");
  await before.write([{ class: "note", key: "both", value: "forgotten" }]);
  await giveAround([before, brest]);
  disk.restore(image);
  const since = await startMember("quimper", statements, disk);
  // It waits for nobody, so this gets the lower number, and stands as if a second box had written it.
  await since.write([{ class: "note", key: "both", value: "since" }]);
  assert.equal(note(since, "both"), "since");
  await giveAround([since, brest]);
  for (const state of [since, brest]) {
    const [conflict] = state.view().conflicts("note");
    assert.deepEqual(
      conflict?.versions.map(({ value }) => value),
      ["forgotten", "since"],
    );
    assert.equal(note(state, "other"), "other");
    assert.deepEqual([...state.doubledSites()], [since.siteId]);
  }
  await since.write([{ class: "note", key: "both", value: "settled" }]);
  await giveAround([since, brest]);
  for (const state of [since, brest]) {
    assert.equal(note(state, "both"), "settled");
    assert.deepEqual(state.view().conflicts("note"), []);
  }
});

test("what seven boxes with one key have acknowledged shows on all, and at once on their own", async () => {
  const { statements } = founded();
  const boxes: State[] = [];
  for (let box = 0; box < 7; box++) boxes.push(await startMember("quimper", statements));
  for (const [index, box] of boxes.entries()) await write(box, `first ${index}`);
  for (let round = 0; round < 4; round++) await giveAround(boxes);
  for (const box of boxes) {
    for (const index of boxes.keys()) assert.equal(note(box, `first ${index}`), `first ${index}`);
  }
  for (let round = 0; round < 3; round++) {
    for (const [index, box] of boxes.entries()) {
      await write(box, `${round} ${index}`);
      assert.equal(note(box, `${round} ${index}`), `${round} ${index}`, "on its own box");
    }
    for (let again = 0; again < 4; again++) await giveAround(boxes);
    for (const box of boxes) assert.equal(box.view().entries("note").length, 14 + 7 * round);
  }
  const [first, ...others] = boxes;
  for (const box of others) assert.equal(box.replica.stateDigest(), first?.replica.stateDigest());
});

test("a write that would not show beside so many full logs is refused, and others are not", async () => {
  const founding = founded();
  const state = await startMember("quimper", founding.statements);
  const logs = Array.from({ length: 15 }, (_, box) => {
    return new FreeLog(testKey("quimper"), founding.meshId, `box ${box}`, { class: "note" });
  });
  for (const [box, log] of logs.toSorted((a, b) => (a.log < b.log ? -1 : 1)).entries()) {
    const full = Array.from({ length: 14 }, (_, at) => honest(`${box} ${at}`, "x".repeat(8000)));
    const { bytes } = log.snapshot(box < 4 ? [honest(`${box}`, "small")] : full);
    assert.equal(await state.replica.receiveEnvelope(bytes, state.siteId), "accepted");
  }
  const heads = state.logHeads();
  await assert.rejects(write(state, "late"), { code: "E-STATE-FORKED" });
  assert.deepEqual(state.logHeads(), heads);
  await state.write([{ class: "site", key: "other", value: 1 }]);
  assert.equal(state.view().get("site", "other")?.value, 1);
});
