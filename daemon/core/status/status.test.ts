import assert from "node:assert/strict";
import { test } from "node:test";
import type { SetId } from "../../../protocol/ids.ts";
import { statusReport, type PeerStatus, type SetStatus, type StatusFacts } from "./status.ts";

const HOUR_MS = 3_600_000;
const serials = new Map([["bzh.example", 7]]);
const brest: PeerStatus = { name: "brest", up: true, lastSeenMs: 5, sameState: true, serials };
const mail: SetStatus = {
  name: "mail",
  ageMs: 5 * HOUR_MS,
  limitMs: 24 * HOUR_MS,
  copies: { wanted: 3, least: 3, shards: 10, concerns: [], asks: [] },
  trouble: undefined,
  tips: 0,
};
const well: StatusFacts = {
  site: "quimper",
  mesh: "bzh",
  peers: [brest],
  dns: { listening: true, serials },
  services: { count: 1, sites: 1, judged: 0, down: [], nowhere: [] },
  sets: [mail],
  proofs: { findings: [], repairs: [], ownLosses: 0 },
  lines: [],
  disk: { full: false, freeBytes: 2 ** 34 },
  locks: [],
  waitingRequests: 0,
  kept: [],
  provisional: 0,
  members: {
    self: "member",
    sites: 2,
    operators: 3,
    threshold: 2,
    epoch: 1,
    contested: [],
    proposals: [],
    suspended: [],
    forkedSigners: [],
    unknownRules: undefined,
    unknownFeatures: [],
  },
  state: { doubled: [], forked: [], overQuota: [], quarantined: 0, conflicts: 0 },
};
const report = (facts: Partial<StatusFacts>) => statusReport({ ...well, ...facts });
const stateOf = (facts: Partial<StatusFacts>, name: string) =>
  report(facts).areas.find((area) => area.name === name)?.state;

test("what is well is OK, asks nothing of anybody, and meets every condition", () => {
  const { verdict, todo, conditions, alone } = report({});
  assert.equal(verdict, "OK");
  assert.deepEqual(todo, []);
  assert.deepEqual(conditions, { joined: true, mesh: true, dns: true, copies: true });
  assert.equal(alone, "answer DNS (1 zone), edit everything, restore 1 of its 1 set");
});

test("several newest snapshots of a set need a person", () => {
  const { verdict, todo } = report({ sets: [{ ...mail, tips: 1 }] });
  assert.equal(verdict, "WARNING");
  assert.match(todo[0]?.text ?? "", /mail has 2 newest snapshots/);
  assert.equal(todo[0]?.command, "pleach backup show mail");
});

test("a shorter lock that is pending anywhere needs a person everywhere, until it is objected to", () => {
  const sets = ["00112233445566778899aabbccddeeff", "ff".repeat(16)] as SetId[];
  const pending = { owner: "coop", sets, fromDays: 30, toDays: 0 };
  const shown = { ...pending, holders: 2, leftDays: 9, isObjected: false };
  const { verdict, todo } = report({ locks: [shown] });
  assert.equal(verdict, "WARNING");
  const text = todo[0]?.text ?? "";
  assert.match(
    text,
    /coop .*data set 00112233 and 1 more .*0 days instead of 30; .*9 days at 2 holders/,
  );
  assert.equal(todo[0]?.command, "pleach backup object 00112233 --operator-key FILE");
  assert.equal(report({ locks: [{ ...shown, isObjected: true }] }).verdict, "OK");
  assert.equal(stateOf({}, "Locks"), undefined);
});

test("an area without evidence is never OK", () => {
  assert.equal(stateOf({}, "Services"), "NONE");
  assert.equal(stateOf({ dns: { listening: true, serials: new Map() } }, "DNS"), "NONE");
  assert.equal(stateOf({ sets: [] }, "Backups"), "NONE");
  assert.equal(stateOf({ sets: [{ ...mail, copies: undefined }] }, "Copies"), "NONE");
});

test("a set that never ran, or is older than its limit, is warned of with the command", () => {
  for (const ageMs of [undefined, 25 * HOUR_MS]) {
    const { verdict, todo } = report({ sets: [{ ...mail, ageMs }] });
    assert.equal(verdict, "WARNING");
    assert.equal(todo[0]?.command, "pleach backup run mail");
  }
  assert.equal(report({ sets: [{ ...mail, ageMs: 80 * HOUR_MS }] }).verdict, "CRITICAL");
});

test("too few copies are at risk; none at all is critical", () => {
  const withLeast = (least: number) => [
    { ...mail, copies: { wanted: 3, least, shards: 10, concerns: [], asks: [] } },
  ];
  const { verdict, areas, conditions } = report({ sets: withLeast(2) });
  assert.equal(verdict, "WARNING");
  assert.match(areas.find(({ name }) => name === "Copies")?.text ?? "", /at risk: mail 2 of 3/);
  assert.equal(conditions.copies, false);
  assert.equal(report({ sets: withLeast(0) }).verdict, "CRITICAL");
});

test("one site away is no error, all of them away is a warning", () => {
  const away = { ...brest, up: false };
  assert.equal(stateOf({ peers: [brest, { ...away, name: "lorient" }] }, "Mesh"), "OK");
  assert.equal(stateOf({ peers: [away] }, "Mesh"), "WARNING");
  assert.equal(report({ peers: [away] }).conditions.mesh, false);
});

test("serials that differ are not the same", () => {
  const behind = { ...brest, serials: new Map([["bzh.example", 6]]) };
  assert.equal(report({ peers: [behind] }).conditions.dns, false);
  assert.equal(report({ peers: [{ ...behind, up: false }] }).conditions.dns, true);
});

test("a full disk is critical", () => {
  const { verdict, todo } = report({ disk: { full: true, freeBytes: 0 } });
  assert.equal(verdict, "CRITICAL");
  assert.equal(todo[0]?.command, "df -h");
});

test("without a mesh the first step is named", () => {
  const { verdict, todo, conditions } = report({ mesh: undefined, peers: [], sets: [] });
  assert.equal(verdict, "WARNING");
  assert.match(todo[0]?.command ?? "", /pleach join/);
  assert.equal(conditions.joined, false);
});

test("a request to join waits for a person", () => {
  assert.match(report({ waitingRequests: 1 }).todo[0]?.command ?? "", /pleach approve/);
});

test("what weakens copies is noted and harms nothing; a holder that asks is something to do", () => {
  const copies = { wanted: 3, least: 3, shards: 10, concerns: ["One operator."], asks: [] };
  const noted = report({ sets: [{ ...mail, copies }] });
  const area = noted.areas.find((one) => one.name === "Copies");
  assert.match(area?.text ?? "", /note: One operator\./);
  assert.equal(area?.state, "OK");
  const asked = report({ sets: [{ ...mail, copies: { ...copies, asks: ["brest asks."] } }] });
  assert.equal(asked.verdict, "WARNING");
  assert.deepEqual(asked.todo.at(-1), {
    text: "Data set mail: brest asks.",
    command: "pleach backup show mail",
  });
});
