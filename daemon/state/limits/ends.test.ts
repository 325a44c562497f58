/** What statements do to logs: revocations, suspensions, rights taken back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { bring, startMember, startState } from "../../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import { ForkingLog } from "../../../test-mesh/hostile/forking-log.ts";
import { idOf, type SiteId } from "../../../protocol/ids.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import type { State } from "../state.ts";

const A = "bzh.example/a/A/1";
const B = "bzh.example/b/A/1";
const thief = idOf<SiteId>(testKey("thief").publicKey);

function founded(): Founding {
  const founding = new Founding("ends");
  for (const name of ["quimper", "brest", "thief"]) {
    founding.grant(founding.enrol(name), "zone", null);
  }
  return founding;
}

function zone(state: State): Record<string, unknown> {
  return Object.fromEntries(
    state
      .view()
      .entries("zone")
      .map(({ key, value }) => [key, value]),
  );
}

function set(state: State, key: string, value: string | undefined): Promise<unknown> {
  return state.write([{ class: "zone", key, value }]);
}

function assertEqual(one: State, other: State): void {
  assert.equal(one.replica.stateDigest(), other.replica.stateDigest());
  assert.equal(one.view().hash, other.view().hash);
}

test("after a revocation all is as if the entries behind it had never been", async () => {
  const founding = founded();
  const disk = new FakeDisk();
  const quimper = await startMember("quimper", founding.statements, disk);
  const bad = await startMember("thief", founding.statements);
  await set(quimper, A, "honest");
  await set(bad, B, "still good");
  await bring(quimper, bad);
  await bring(bad, quimper);
  const expected = zone(quimper);
  const logs = [...quimper.cutoffs(thief)];
  assert.equal(logs.length, 1);
  const { hash } = quimper.view();
  // It overwrites what others wrote, goes on in its log, and opens others after starts.
  await set(bad, A, "bad");
  await set(bad, B, undefined);
  await set(bad, "bzh.example/c/A/1", "bad");
  await bring(bad, quimper);
  assert.notDeepEqual(zone(quimper), expected);
  founding.epoch({ revokes: [{ site: thief, logs }] });
  await quimper.addStatements(founding.statements);
  assert.deepEqual(zone(quimper), expected);
  assert.equal(quimper.view().hash, hash);
  await assert.rejects(
    bad.addStatements(founding.statements).then(() => set(bad, A, "more")),
    { code: "E-STATE-RIGHT", message: /expelled/ },
  );
  const again = await startState("quimper", disk);
  assertEqual(again, quimper);
  const late = await startMember("brest", founding.statements);
  await bring(quimper, late);
  assertEqual(late, quimper);
});

test("a node with another branch than the one that is named takes over the named one", async () => {
  const founding = founded();
  const left = new ForkingLog(founding.meshId, testKey("thief"), {});
  const first = left.snapshot();
  const right = left.fork();
  const [good, bad] = [left.update({ a: "good" }), right.update({ a: "bad" })];
  const quimper = await startMember("quimper", founding.statements);
  const brest = await startMember("brest", founding.statements);
  for (const { bytes } of [first, good]) await quimper.replica.receiveEnvelope(bytes, thief);
  for (const { bytes } of [first, bad]) await brest.replica.receiveEnvelope(bytes, thief);
  const logs = [...quimper.cutoffs(thief)];
  founding.epoch({ revokes: [{ site: thief, logs }] });
  for (const state of [quimper, brest]) await state.addStatements(founding.statements);
  assert.equal(brest.view().get("site", "a"), undefined);
  await bring(quimper, brest);
  assert.equal(brest.view().get("site", "a")?.value, "good");
  assertEqual(quimper, brest);
});

test("a suspended site's entries are stored and passed on, and show when it ends", async () => {
  const founding = founded();
  const disk = new FakeDisk();
  let quimper = await startMember("quimper", founding.statements, disk);
  const bad = await startMember("thief", founding.statements);
  await set(bad, A, "accepted");
  await bring(bad, quimper);
  const before = quimper.view().hash;
  const suspension = founding.suspend(thief, undefined, [...quimper.cutoffs(thief)]);
  await quimper.addStatements(founding.statements);
  assert.equal(quimper.view().hash, before, "a suspension changes nothing that was accepted");
  await set(bad, A, "parked");
  await bring(bad, quimper);
  // It starts anew: another log takes up the one that was there.
  const again = await startMember("thief", founding.statements, new FakeDisk());
  await bring(bad, again);
  await set(again, B, "parked, too");
  await bring(again, quimper);
  assert.equal(quimper.view().hash, before);
  assert.equal(quimper.replica.stateDigest(), again.replica.stateDigest());
  assert.ok(quimper.parked().length > 0);
  quimper = await startState("quimper", disk);
  assert.equal(quimper.view().hash, before);
  // Who comes later shows what the suspension names.
  const late = await startMember("brest", founding.statements);
  await bring(quimper, late);
  assertEqual(quimper, late);
  founding.unsuspend([suspension]);
  for (const state of [quimper, late]) await state.addStatements(founding.statements);
  assert.deepEqual(zone(quimper), { [A]: "parked", [B]: "parked, too" });
  assert.deepEqual(quimper.parked(), []);
  assertEqual(quimper, late);
});

test("a right that is taken back leaves what its logs held then, and nothing later", async () => {
  const founding = new Founding("rights");
  for (const name of ["quimper", "brest"]) founding.grant(founding.enrol(name), "zone", null);
  const site = founding.enrol("thief");
  const right = founding.grant(site, "zone", "bzh.example");
  founding.grant(site, "zone", "other.example");
  const disk = new FakeDisk();
  const quimper = await startMember("quimper", founding.statements, disk);
  const writer = await startMember("thief", founding.statements);
  await set(writer, A, "then");
  await set(writer, "other.example/a/A/1", "other");
  await bring(writer, quimper);
  const heads = [...quimper.cutoffs(site, { classes: ["zone"] })];
  await set(writer, A, "later");
  await set(writer, "other.example/b/A/1", "goes on");
  await bring(writer, quimper);
  founding.ungrant([right], heads);
  await quimper.addStatements(founding.statements);
  const expected = {
    [A]: "then",
    "other.example/a/A/1": "other",
    "other.example/b/A/1": "goes on",
  };
  assert.deepEqual(zone(quimper), expected);
  assert.deepEqual(zone(await startState("quimper", disk)), expected);
  // Its next start takes up the log that the statement names.
  const again = await startMember("thief", founding.statements, new FakeDisk());
  await bring(writer, again);
  await set(again, "other.example/b/A/1", "on and on");
  await bring(again, quimper);
  const late = await startMember("brest", founding.statements);
  await bring(quimper, late);
  assert.deepEqual(zone(late), { ...expected, "other.example/b/A/1": "on and on" });
  assertEqual(late, quimper);
  // Another one may write over what is left.
  await set(late, A, "new");
  assert.deepEqual(late.view().get("zone", A)?.conflicts, []);
  assert.equal(late.view().get("zone", A)?.value, "new");
});

test("what a contested epoch cut counts again when the other one is chosen", async () => {
  const founding = founded();
  const log = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone" });
  const entries = [log.snapshot(), log.update({ [A]: "early" }), log.update({ [B]: "later" })];
  const disk = new FakeDisk();
  const quimper = await startMember("quimper", founding.statements, disk);
  for (const { bytes } of entries) await quimper.replica.receiveEnvelope(bytes, thief);
  const { hash } = quimper.view();
  const digest = quimper.replica.stateDigest();
  const head = entries[1]?.id;
  assert.ok(head);
  const parents = [founding.meshId];
  founding.epoch({ parents, revokes: [{ site: thief, logs: [{ log: log.log, seq: 2, head }] }] });
  const other = founding.epoch({ parents, features: ["other"] });
  await quimper.addStatements(founding.statements);
  assert.equal(quimper.authority().epoch.contested, true);
  assert.deepEqual(zone(quimper), { [A]: "early" });
  for (const name of ["brest", "thief"]) founding.ack(other, testKey(name));
  await quimper.addStatements(founding.statements);
  assert.equal(quimper.authority().epoch.contested, false);
  assert.equal(quimper.view().hash, hash);
  assert.equal(quimper.replica.stateDigest(), digest);
  assert.equal((await startState("quimper", disk)).view().hash, hash);
});

/** Statements and entries of a mesh in trouble, few enough for any order. */
function troubled(): { statements: SignedStatement[]; items: (SignedStatement | Uint8Array)[] } {
  const founding = founded();
  const statements = [...founding.statements];
  const left = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone" });
  const first = left.snapshot();
  const right = left.fork();
  const [good, fork] = [left.update({ [A]: "good" }), right.update({ [A]: "fork" })];
  const later = left.update({ [B]: "later" });
  const honest = new ForkingLog(founding.meshId, testKey("brest"), { class: "zone" });
  const entries = [first, good, fork, later, honest.snapshot(), honest.update({ [B]: "honest" })];
  const logs = [{ log: left.log, seq: 2, head: good.id }];
  founding.epoch({ revokes: [{ site: thief, logs }] });
  const [revocation] = founding.statements.slice(-1);
  assert.ok(revocation);
  return { statements, items: [...entries.map(({ bytes }) => bytes), revocation] };
}

test("seven statements and entries give one view in any order, with restarts between", async () => {
  const { statements, items } = troubled();
  const views = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([...items.keys()], { minLength: 7 }),
      fc.nat(7),
      async (order, restartAt) => {
        const disk = new FakeDisk();
        let state = await startMember("quimper", statements, disk);
        for (const [at, index] of [...order, ...order, ...order].entries()) {
          if (at === restartAt) state = await startState("quimper", disk);
          const item = items[index];
          if (item instanceof Uint8Array) await state.replica.receiveEnvelope(item, thief);
          else if (item !== undefined) await state.addStatements([item]);
        }
        const again = await startState("quimper", disk);
        assert.equal(again.view().hash, state.view().hash);
        views.add(`${state.view().hash} ${state.replica.stateDigest()}`);
        assert.equal(views.size, 1, `order ${order.join()}, restart at ${restartAt}`);
      },
    ),
    { numRuns: 150 },
  );
});
