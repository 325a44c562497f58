import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { startMember, startState } from "../../test-mesh/fakes/state-node.ts";
import { toldBy } from "../../test-mesh/fakes/told-authority.ts";
import { KNOWN_RULES } from "../../protocol/statements/epoch-statement.ts";
import {
  idOf,
  sha256,
  type EnvelopeId,
  type LogId,
  type OperatorId,
  type SiteId,
  type StatementId,
} from "../../protocol/ids.ts";
import {
  encodeStatement,
  signStatement,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import { copyKey, statementKey } from "./keys.ts";

/** More than may wait of one peer. */
const FLOOD = 1100;

test("statements of strangers from one peer take no room from those of another", async () => {
  const founding = new Founding();
  const thief = founding.enrol("thief");
  const brest = founding.enrol("brest");
  const node = await startMember("quimper", founding.statements);
  const stranger = testKey("stranger");
  const prev = founding.meshId as string as StatementId;
  const by = idOf<OperatorId>(stranger.publicKey);
  for (let seq = 1; seq <= FLOOD; seq++) {
    const head = { v: 1, mesh: founding.meshId, by, seq, prev, lamport: 1 } as const;
    const grant = { kind: "GRANT", site: thief, class: "zone", selector: null } as const;
    const statement = signStatement({ ...head, ...grant }, [stranger]);
    await node.replica.receiveStatement(encodeStatement(statement), thief);
  }
  const before = founding.statements.length;
  for (let count = 0; count < 20; count++) founding.enrol(`site-${count}`);
  const backwards: SignedStatement[] = founding.statements.slice(before).toReversed();
  for (const statement of backwards) {
    await node.replica.receiveStatement(encodeStatement(statement), brest);
  }
  assert.equal(node.authority().sites.size, 22);
});

test("of more statements than may wait those that come first are kept", async () => {
  const founding = new Founding();
  const brest = founding.enrol("brest");
  const grant = founding.grant(brest, "zone", null);
  const node = await startMember("quimper", founding.statements);
  const before = founding.statements.length;
  const heads = Array.from({ length: 500 }, (_, index) => ({
    log: idOf<LogId>(sha256(`log ${index}`).subarray(0, 16)),
    seq: 1,
    head: idOf<EnvelopeId>(sha256("head")),
  }));
  for (let count = 0; count < 60; count++) founding.ungrant([grant], heads);
  const [first, ...rest] = founding.statements.slice(before);
  assert.ok(first);
  for (const statement of [...rest.toReversed(), first]) {
    await node.replica.receiveStatement(encodeStatement(statement), brest);
  }
  const fitting = Math.floor((1024 * 1024) / first.bytes.length);
  assert.ok(fitting > 20 && fitting < 50);
  assert.equal(node.statements().length, before + 1 + fitting);
});

test("what a suspended operator enrols later is parked, also after a restart, until it ends", async () => {
  const other = testKey("second operator");
  const founding = new Founding("book", [testKey("book operator"), other, testKey("third")]);
  const early = founding.enrol("early", { by: other });
  const disk = new FakeDisk();
  let node = await startMember("quimper", founding.statements, disk);
  const suspension = founding.suspend(idOf<OperatorId>(other.publicKey));
  // Signed before the other operator knew, and here before the suspension: it stays.
  const inTime = founding.enrol("in-time", { by: other });
  await node.addStatements(founding.statements.filter(({ id }) => id !== suspension));
  await node.addStatements(founding.statements);
  const late = founding.enrol("late", { by: other });
  const grant = founding.grant(late, "zone", null);
  await node.addStatements(founding.statements);
  for (const restarted of [false, true]) {
    if (restarted) {
      await node.close();
      node = await startState("quimper", disk);
    }
    const authority = node.authority();
    const members = [early, inTime, late].map((site) => authority.isMember(site));
    assert.deepEqual(members, [true, true, false], `restarted: ${restarted}`);
    assert.match(authority.idle.get(grant) ?? "", /not enrolled/);
    assert.equal(node.statements().length, founding.statements.length, "it is passed on");
  }
  founding.unsuspend([suspension]);
  await node.addStatements(founding.statements);
  assert.ok(node.authority().isMember(late));
  assert.deepEqual(
    [...disk.content.keys()].filter((key) => key.startsWith("parked/")),
    [],
  );
});

test("what a suspension knows of is not parked when it comes after the suspension", async () => {
  const other = testKey("second operator");
  const founding = new Founding("book", [testKey("book operator"), other]);
  const known = founding.enrol("known", { by: other });
  const suspension = founding.suspend(idOf<OperatorId>(other.publicKey));
  const unknown = founding.enrol("unknown", { by: other });
  const [genesis] = founding.statements;
  const suspend = founding.statements.find(({ id }) => id === suspension);
  assert.ok(genesis && suspend);
  const node = await startMember("quimper", [genesis, suspend]);
  await node.addStatements(founding.statements);
  assert.ok(node.authority().isMember(known));
  assert.equal(node.authority().isMember(unknown), false);
});

test("a site acknowledges the epoch that counts, once for its number, before anybody hears of it", async () => {
  const founding = new Founding("book", [testKey("book operator"), testKey("second")]);
  const quimper = founding.enrol("quimper");
  for (const name of ["brest", "rennes"]) founding.enrol(name);
  const disk = new FakeDisk();
  let node = await startMember("quimper", founding.statements, disk);
  const acks = () =>
    node.statements().flatMap(({ body }) => {
      return body.kind === "ACK" && !("known" in body) && body.by === quimper ? [body.epoch] : [];
    });
  const told: Uint8Array[] = [];
  const missing: Uint8Array[] = [];
  node.replica.onNew(({ bytes, id, kind }) => {
    if (kind === "statement") told.push(bytes);
    if (!disk.content.has(`statement/${id}`)) missing.push(bytes);
  });
  const epoch = founding.epoch({ operators: [founding.operator, testKey("third")] });
  await node.addStatements(founding.statements);
  assert.deepEqual(acks(), [], "it has too few votes");
  founding.vote(epoch, testKey("second"));
  await node.addStatements(founding.statements);
  assert.deepEqual(acks(), [epoch]);
  assert.equal(told.length, 3, "EPOCH, VOTE and ACK");
  assert.deepEqual(missing, []);
  await node.close();
  node = await startState("quimper", disk);
  const other = founding.epoch({ parents: [founding.meshId], features: ["other"] });
  founding.vote(other, testKey("second"));
  const both = await startMember("quimper", founding.statements);
  assert.ok(both.authority().epoch.contested);
  assert.ok(!both.statements().some(({ body }) => body.kind === "ACK"), "nothing to say yet");
  for (const name of ["brest", "rennes"]) founding.ack(other, testKey(name));
  await node.addStatements(founding.statements);
  assert.deepEqual(node.authority().epoch.ids, [other]);
  assert.deepEqual(acks(), [epoch], "its first word stays its only one");
});

test("a word that is not durable is told to nobody", async () => {
  const founding = new Founding("book", [testKey("book operator"), testKey("second")]);
  founding.enrol("quimper");
  const epoch = founding.epoch();
  const disk = new FakeDisk();
  const node = await startMember("quimper", founding.statements, disk);
  founding.vote(epoch, testKey("second"));
  disk.failure = new Error("disk full");
  await assert.rejects(node.addStatements(founding.statements), { code: "E-STATE-STORE" });
  assert.ok(!node.statements().some(({ body }) => body.kind === "ACK"));
});

test("under rules that this version does not know a site keeps its word to itself", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  founding.epoch({ rules: KNOWN_RULES + 1 });
  const node = await startMember("quimper", founding.statements);
  assert.equal(node.authority().rules, KNOWN_RULES + 1);
  assert.ok(!node.statements().some(({ body }) => body.kind === "ACK"));
});

test("any order of arrival, with restarts between, gives the same statements and authority", async () => {
  const [first, second, third] = ["a", "b", "c"].map((name) => testKey(`operator ${name}`));
  assert.ok(first && second && third);
  const founding = new Founding("orders", [first, second, third]);
  const site = founding.enrol("s1", { by: third });
  const one = founding.epoch({ operators: [first, second] });
  founding.vote(one, second);
  const two = founding.epoch({ by: third, parents: [founding.meshId] });
  founding.vote(two, second);
  founding.leave(testKey("s1"));
  assert.ok(site);
  const all = founding.statements;
  assert.equal(all.length, 7);
  const reference = await startMember("observer", all);
  const expected = [reference.replica.statementDigest(), toldBy(reference.authority())];
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(all, { minLength: all.length }),
      fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
      async (order, restarts) => {
        const disk = new FakeDisk();
        let node = await startState("observer", disk);
        const [genesis] = all;
        assert.ok(genesis);
        // Nothing enters before there is a mesh; what only waits is lost by a restart and sent again.
        for (const [at, statement] of [genesis, ...order, ...order, ...order].entries()) {
          await node.addStatements([statement]);
          if (restarts[at % 7] !== true) continue;
          await node.close();
          node = await startState("observer", disk);
        }
        for (let round = 0; round < 7; round++) await node.addStatements(order);
        assert.deepEqual([node.replica.statementDigest(), toldBy(node.authority())], expected);
        await node.close();
      },
    ),
    { numRuns: 60, seed: 11 },
  );
});

test("whoever lost an early statement still links those whose enrolment is stored", async () => {
  const founding = new Founding();
  const disk = new FakeDisk();
  const [brest, lorient] = [founding.enrol("brest"), founding.enrol("lorient")];
  const node = await startMember("quimper", founding.statements, disk);
  await node.close();
  const damaged = founding.statements[1];
  assert.ok(damaged);
  for (const key of [statementKey(damaged.id), copyKey(statementKey(damaged.id))]) {
    disk.flipBit(key, 400);
  }
  const again = await startState("quimper", disk);
  assert.deepEqual([...again.authority().sites.keys()], []);
  assert.deepEqual([again.mayLink(brest), again.mayLink(lorient)], [false, true]);
  await again.replica.receiveStatement(encodeStatement(damaged), lorient);
  assert.deepEqual([...again.authority().sites.keys()].toSorted(), [brest, lorient].toSorted());
  assert.ok(again.mayLink(brest));
  assert.ok(!again.mayLink(idOf<SiteId>(testKey("stranger").publicKey)));
});
