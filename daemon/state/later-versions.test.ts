/**
 * What members of later versions write is checked, stored and passed on bit by bit, and changes
 * nothing that this version shows.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { resignEnvelope, resignStatement } from "../../test-mesh/fakes/resign.ts";
import { entriesOf, startMember, startState } from "../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { fromHex, idOf, type SiteId } from "../../protocol/ids.ts";
import { decodeEnvelope } from "../../protocol/logs/envelope.ts";
import { decodeStatement, encodeStatement } from "../../protocol/statements/statement.ts";
import { CLASS_GROUPS } from "../../protocol/logs/record-class.ts";
import type { State } from "./state.ts";

const newer = testKey("newer");
const newerId = idOf<SiteId>(newer.publicKey);

/** Entries of an honest author: a snapshot, and one update for each value. */
async function entriesBy(founding: Founding, ...values: readonly string[]): Promise<Uint8Array[]> {
  const author = await startMember("newer", founding.statements);
  for (const value of values) await author.write([{ class: "site", key: "node", value }]);
  return (await entriesOf(author)).toSorted(
    (a, b) => decodeEnvelope(a).header.seq - decodeEnvelope(b).header.seq,
  );
}

function founded(): Founding {
  const founding = new Founding("versions");
  founding.enrol("newer");
  founding.enrol("brest");
  return founding;
}

async function take(state: State, entries: readonly Uint8Array[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const bytes of entries) {
    results.push(await state.replica.receiveEnvelope(bytes, state.siteId));
  }
  return results;
}

async function assertHeld(state: State, entries: readonly Uint8Array[]): Promise<void> {
  const held = (await entriesOf(state)).map((bytes) => Buffer.from(bytes).toString("hex"));
  const sent = entries.map((bytes) => Buffer.from(bytes).toString("hex"));
  assert.deepEqual(held.toSorted(), sent.toSorted());
}

test("an entry with fields of a later version counts, and keeps them", async () => {
  const founding = founded();
  const [start, first] = await entriesBy(founding, "one");
  assert.ok(start !== undefined && first !== undefined);
  const sent = resignEnvelope(newer, first, { hint: { of: [1, 2, 3] }, zone: new Uint8Array(4) });
  const state = await startMember("brest", founding.statements);
  assert.deepEqual(await take(state, [start, sent]), ["accepted", "accepted"]);
  assert.equal(state.view().get("site", "node")?.value, "one");
  await assertHeld(state, [start, sent]);
});

test("a log of a later class is held, in the digests, and shown by nobody", async () => {
  const founding = founded();
  const [start, first] = await entriesBy(founding, "one");
  assert.ok(start !== undefined && first !== undefined);
  const sent = resignEnvelope(newer, start, { class: "metric" });
  const disk = new FakeDisk();
  const state = await startMember("brest", founding.statements, disk);
  const { hash } = state.view();
  const before = state.replica.stateDigest();
  const groups = (of: State) =>
    JSON.stringify(CLASS_GROUPS.map((name) => of.replica.classDigest(name)));
  assert.deepEqual(await take(state, [sent]), ["parked"]);
  assert.equal(state.view().hash, hash);
  assert.notEqual(state.replica.stateDigest(), before);
  assert.notDeepEqual(state.replica.classDigest("more"), state.replica.classDigest("note"));
  // Its payload names the client of another log: the checks are those of every class.
  const foreign = resignEnvelope(newer, first, {
    class: "metric",
    prev: fromHex(decodeEnvelope(sent).id),
  });
  assert.deepEqual(await take(state, [foreign]), [{ refused: "E-STATE-CONTENT" }]);
  const again = await startState("brest", disk);
  assert.equal(again.replica.stateDigest(), state.replica.stateDigest());
  assert.equal(groups(again), groups(state));
  await assertHeld(again, [sent]);
});

test("after an entry of a later kind a log shows what it was, until its next snapshot", async () => {
  const founding = founded();
  const [start, first, second, third] = await entriesBy(founding, "one", "two", "three");
  assert.ok(start !== undefined && first !== undefined);
  assert.ok(second !== undefined && third !== undefined);
  const later = resignEnvelope(newer, third, { kind: "MERGE" }, Buffer.from("who knows"));
  const { id, header } = decodeEnvelope(later);
  const { clockBefore, clockAfter } = decodeEnvelope(third).header;
  const after = resignEnvelope(newer, third, {
    ...{ seq: header.seq + 1, prev: fromHex(id) },
    ...{ clockBefore: clockBefore + 7, clockAfter: clockAfter + 7 },
  });
  const disk = new FakeDisk();
  const state = await startMember("brest", founding.statements, disk);
  const sent = [start, first, second, later, after];
  assert.deepEqual(
    await take(state, sent),
    sent.map(() => "accepted"),
  );
  assert.equal(state.view().get("site", "node")?.value, "two");
  await assertHeld(state, sent);
  const again = await startState("brest", disk);
  assert.equal(again.view().hash, state.view().hash);
  assert.equal(again.replica.stateDigest(), state.replica.stateDigest());
  const snapshot = resignEnvelope(
    newer,
    start,
    {
      ...{ seq: header.seq + 2, prev: fromHex(decodeEnvelope(after).id) },
      ...{ prevSnap: fromHex(decodeEnvelope(start).id), clockAfter: 0 },
    },
    Uint8Array.of(0, 0),
  );
  assert.deepEqual(await take(again, [snapshot]), ["accepted"]);
  assert.equal(again.view().get("site", "node"), undefined);
});

test("statements with fields, classes and kinds of a later version are kept bit by bit", async () => {
  const founding = founded();
  const [, site] = founding.statements;
  founding.grant(newerId, "zone", "bzh.example");
  const granted = founding.statements.at(-1);
  assert.ok(site !== undefined && granted !== undefined);
  const state = await startMember("brest", founding.statements.slice(0, 1));
  const { operator } = founding;
  const enrolled = resignStatement(operator, site, {
    classes: ["site", "metric"],
    powers: { of: "later" },
  });
  const next = { prev: fromHex(decodeStatement(enrolled).id), seq: 2, lamport: 2 };
  const grant = resignStatement(operator, granted, { ...next, class: "metric" });
  const last = { prev: fromHex(decodeStatement(grant).id), seq: 3, lamport: 3 };
  const unknown = resignStatement(operator, granted, { ...last, kind: "DECREE", what: [null] });
  for (const bytes of [enrolled, grant, unknown]) {
    assert.equal(await state.replica.receiveStatement(bytes, state.siteId), "accepted");
    const { id } = decodeStatement(bytes);
    assert.deepEqual(state.replica.statement(id), bytes);
  }
  const authority = state.authority();
  assert.equal(authority.mayWrite(newerId, "site", "node"), true);
  assert.equal(authority.mayWrite(newerId, "zone", "bzh.example/www"), false);
  assert.match(authority.idle.get(decodeStatement(grant).id) ?? "", /no shared class metric/);
  assert.equal(authority.grants.length, 0);
  assert.deepEqual(encodeStatement(decodeStatement(unknown)), unknown);
});
