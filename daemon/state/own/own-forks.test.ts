/** One identity runs in two places: what its own box does about it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding } from "../../../test-mesh/fakes/founding.ts";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { bring, startMember, startState } from "../../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import type { State } from "../state.ts";

/** Two boxes that go on from one memory: they sign the same places of the same log. */
async function twins(founding: Founding): Promise<[State, State]> {
  const made = [];
  for (let box = 0; box < 2; box++) {
    const clock = new FakeTime(7).clock();
    const later = new FakeTime(70 + box).clock();
    let isApart = false;
    const random = (size: number): Uint8Array => (isApart ? later : clock).random(size);
    const state = await startState("quimper", new FakeDisk(), {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, act) => clock.after(delayMs, act),
      random,
    });
    await state.addStatements(founding.statements);
    await state.write([{ class: "note", key: "common", value: "both" }]);
    isApart = true;
    made.push(state);
  }
  const [one, two] = made;
  assert.ok(one && two);
  return [one, two];
}

function notes(state: State): [string, unknown][] {
  return state
    .view()
    .entries("note")
    .map(({ key, value }) => [key, value]);
}

test("a box that finds its log forked opens another one, and both keep what they wrote", async () => {
  const founding = new Founding("own forks");
  founding.enrol("quimper");
  founding.enrol("brest");
  const [one, two] = await twins(founding);
  assert.equal(one.replica.stateDigest(), two.replica.stateDigest(), "the same log");
  await one.write([{ class: "note", key: "one", value: 1 }]);
  await two.write([{ class: "note", key: "two", value: 2 }]);
  const brest = await startMember("brest", founding.statements);
  await bring(one, brest);
  await bring(two, brest);
  assert.equal(brest.troubles().forked.length, 1);
  for (let round = 0; round < 3; round++) {
    for (const box of [one, two]) {
      await bring(brest, box);
      await box.write([{ class: "note", key: "round", value: round }]);
      await bring(box, brest);
    }
  }
  await bring(brest, one);
  const expected = [
    ["common", "both"],
    ["one", 1],
    ["round", 2],
    ["two", 2],
  ];
  assert.deepEqual(notes(brest), expected);
  assert.deepEqual(notes(one), expected);
});

test("a site whose key forked eight logs refuses to write, and goes on showing", async () => {
  const founding = new Founding("eight");
  founding.enrol("quimper");
  founding.enrol("brest");
  const brest = await startMember("brest", founding.statements);
  let last: State | undefined;
  for (let fork = 0; fork < 8; fork++) {
    // Other random bytes make another log each time.
    const made: State[] = [];
    for (let box = 0; box < 2; box++) {
      const state = await startState("quimper", new FakeDisk(), new FakeTime(100 + fork).clock());
      await state.addStatements(founding.statements);
      await state.write([{ class: "site", key: `fork ${fork}`, value: box }]);
      made.push(state);
    }
    for (const state of made) await bring(state, brest);
    last = made[0];
  }
  assert.equal(brest.troubles().forked.length, 8);
  assert.ok(last);
  await bring(brest, last);
  await assert.rejects(last.write([{ class: "site", key: "more", value: 1 }]), {
    code: "E-STATE-FORKED",
  });
  assert.equal(last.view().hash, brest.view().hash);
  await assert.rejects(
    (async () => {
      const again = await startMember("quimper", brest.statements());
      await again.write([{ class: "site", key: "more", value: 1 }]);
    })(),
    { code: "E-STATE-FORKED" },
  );
});
