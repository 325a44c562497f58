import assert from "node:assert/strict";
import { test } from "node:test";
import { membersArea, stateArea, type MemberFacts, type StateFacts } from "./status-members.ts";

const calm: MemberFacts = {
  self: "member",
  sites: 4,
  operators: 3,
  threshold: 2,
  epoch: 1,
  contested: [],
  proposals: [],
  suspended: [],
  forkedSigners: [],
  unknownRules: undefined,
  unknownFeatures: [],
};
const sound: StateFacts = { doubled: [], forked: [], overQuota: [], quarantined: 0, conflicts: 0 };

test("a calm mesh asks nothing of anybody", () => {
  const { area, todo } = membersArea(calm);
  assert.deepEqual([area.state, todo], ["OK", []]);
  assert.equal(area.text, "4 sites; epoch 1, 2 of 3 operators decide");
  assert.deepEqual(stateArea(sound).area.state, "OK");
});

test("a bus factor of 1 is said and is no trouble of today", () => {
  const { area } = membersArea({ ...calm, operators: 2 });
  assert.deepEqual([area.state, /bus factor 1/.test(area.text)], ["OK", true]);
});

test("who was revoked or replaced is in a critical state, who left is not", () => {
  const stateOf = (self: MemberFacts["self"]) => membersArea({ ...calm, self }).area.state;
  assert.deepEqual((["revoked", "replaced", "left"] as const).map(stateOf), [
    "CRITICAL",
    "CRITICAL",
    "WARNING",
  ]);
  assert.equal(membersArea({ ...calm, unknownRules: 2 }).area.state, "CRITICAL");
});

test("each trouble names who it is about, and the next command", () => {
  const { todo } = membersArea({
    ...calm,
    contested: ["aaaaaaaa", "bbbbbbbb"],
    proposals: [{ id: "3fa9c1d2", epoch: 2, votes: 1, needed: 2, missing: ["Anne", "Bob"] }],
    suspended: [{ name: "lorient", kind: "site", by: "Anne", parked: 3 }],
    forkedSigners: ["Carol"],
    unknownFeatures: ["quotas"],
  });
  const commands = todo.map(({ command }) => command);
  assert.ok(commands.includes("pleach sign 3fa9c1d2 --operator-key FILE"));
  assert.ok(commands.includes("pleach unsuspend lorient --site --operator-key FILE"));
  assert.ok(commands.includes("pleach operators settle --operator-key FILE"));
  for (const who of ["aaaaaaaa and bbbbbbbb", "Anne, Bob", "3 held up", "Carol", "quotas"]) {
    assert.ok(
      todo.some(({ text }) => text.includes(who)),
      who,
    );
  }
  const state = stateArea({
    doubled: ["brest"],
    forked: ["vannes"],
    overQuota: ["lorient"],
    quarantined: 2,
    conflicts: 2,
  });
  assert.equal(state.area.state, "WARNING");
  for (const who of ["identity of brest", "vannes has signed two", "lorient has used up"]) {
    assert.ok(
      state.todo.some(({ text }) => text.includes(who)),
      who,
    );
  }
  const last = state.todo.at(-1);
  assert.equal(last?.text, "2 records were changed at two sites at once.");
  assert.ok(state.todo.some(({ text }) => text === "2 entries could not be applied."));
});
