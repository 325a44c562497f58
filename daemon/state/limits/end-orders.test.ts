/** One log that is suspended, forked, without its right and of a revoked site, in every order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { bring, startMember, startState } from "../../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import { ForkingLog } from "../../../test-mesh/hostile/forking-log.ts";
import { encodeSignedHeader } from "../../../protocol/logs/signed-header.ts";
import { readEnvelope, type Envelope } from "../../../protocol/logs/envelope.ts";
import { idOf, type SiteId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import type { State } from "../state.ts";

const ZONE = "bzh.example";
const author = idOf<SiteId>(testKey("thief").publicKey);

function orders<Item>(items: readonly Item[]): Item[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) => orders(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

function headOf({ log, header, id }: Envelope): LogHead {
  return { log, seq: header.seq, head: id };
}

function signedHeader({ bytes }: Envelope): Uint8Array {
  const { headerBytes, signature } = readEnvelope(bytes);
  return encodeSignedHeader(headerBytes, signature);
}

async function take(state: State, entries: readonly Envelope[]): Promise<void> {
  for (const { bytes } of entries) await state.replica.receiveEnvelope(bytes, author);
}

function fingerprint(state: State): string {
  return `${state.view().hash} ${state.replica.stateDigest()}`;
}

const recoveryKey = testKey("orders recovery");
const secondOperator = testKey("orders second operator");

/** A log with two branches behind entry 4, and statements that end it in all ways. */
function story() {
  const recovery = { keys: [recoveryKey], threshold: 1 };
  const operators = [testKey("orders operator"), secondOperator];
  const founding = new Founding("orders", operators, undefined, recovery);
  for (const name of ["quimper", "brest", "thief"]) founding.enrol(name);
  const right = founding.grant(author, "zone", ZONE);
  const left = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone" });
  const key = (at: number): string => `${ZONE}/k${at}/A/1`;
  const first = [left.snapshot()];
  for (const at of [2, 3, 4]) first.push(left.update({ [key(at)]: `${at}` }));
  const right2 = left.fork();
  const one = [left.update({ [key(5)]: "left" }), left.snapshot(), left.update({ [key(7)]: "l" })];
  const other = [right2.update({ [key(5)]: "right" }), right2.update({ [key(6)]: "r" })];
  const base = [...founding.statements];
  return { founding, base, right, first, one, other };
}

const NAMES = ["suspend", "fork", "ungrant", "revoke"];

test("four ends of one log in every order, with restarts, are those of a node that gets all at once", async () => {
  const { founding, base, right, first, one, other } = story();
  const [, second, third] = first;
  const [a, b] = [one[0], other[0]];
  assert.ok(second && third && a && b);
  const all = new Map<string, SignedStatement[]>();
  const cut = (): SignedStatement[] =>
    founding.statements.slice(base.length + [...all.values()].flat().length);
  const suspension = founding.suspend(author, undefined, [headOf(third)]);
  all.set("suspend", cut());
  founding.forkProof(signedHeader(a), signedHeader(b));
  all.set("fork", cut());
  founding.ungrant([right], [headOf(second)], secondOperator);
  all.set("ungrant", cut());
  founding.epoch({ by: recoveryKey, revokes: [{ site: author, logs: [headOf(third)] }] });
  all.set("revoke", cut());
  founding.unsuspend([suspension]);
  all.set("unsuspend", cut());
  founding.grant(author, "zone", ZONE, secondOperator);
  all.set("again", cut());
  const of = (name: string): SignedStatement[] => all.get(name) ?? [];
  const entries = [[...first, ...one], [...first, ...other], first.slice(0, 3), []];
  for (const [index, order] of orders(NAMES).entries()) {
    const disk = new FakeDisk();
    let state = await startMember("quimper", base, disk);
    await take(state, entries[index % entries.length] ?? []);
    for (const name of order) {
      await state.addStatements(of(name));
      const before = fingerprint(state);
      state = await startState("quimper", disk);
      assert.equal(fingerprint(state), before, `${order.join(" ")}: a start after ${name}`);
      if (index % 3 === 0) await take(state, [...other, ...one]);
    }
    await take(state, [...first, ...one]);
    const fresh = await startMember("brest", base);
    await fresh.addStatements(NAMES.flatMap(of));
    await take(fresh, [...first, ...one]);
    assert.equal(fingerprint(state), fingerprint(fresh), `${order.join(" ")}: all four`);
    for (const name of ["unsuspend", "again"]) {
      for (const each of [state, fresh]) await each.addStatements(of(name));
      state = await startState("quimper", disk);
      assert.equal(fingerprint(state), fingerprint(fresh), `${order.join(" ")}: ${name}`);
    }
    assert.equal(state.view().get("zone", `${ZONE}/k3/A/1`)?.value, "3");
    assert.equal(state.view().get("zone", `${ZONE}/k4/A/1`), undefined);
  }
});

test("a suspension of a site that is revoked then holds up nothing that the revocation names", async () => {
  const { founding, base, first, one } = story();
  const third = first[2];
  assert.ok(third);
  const early = await startMember("quimper", base);
  const late = await startMember("brest", base);
  await take(early, [...first, ...one]);
  await take(late, first.slice(0, 2));
  founding.suspend(author, undefined, [headOf(first[0] ?? third)]);
  for (const state of [early, late]) await state.addStatements(founding.statements);
  founding.epoch({ by: recoveryKey, revokes: [{ site: author, logs: [headOf(third)] }] });
  for (const state of [early, late]) await state.addStatements(founding.statements);
  await bring(early, late);
  assert.equal(fingerprint(late), fingerprint(early));
  assert.equal(late.view().get("zone", `${ZONE}/k3/A/1`)?.value, "3");
});

test("a suspended site that leaves shows nothing that the suspension holds up", async () => {
  const { founding, base, first, one } = story();
  const state = await startMember("quimper", base);
  await take(state, first.slice(0, 3));
  founding.suspend(author);
  await state.addStatements(founding.statements);
  await take(state, [...first, ...one]);
  const last = one.at(-1);
  assert.ok(last);
  founding.leave(testKey("thief"), [headOf(last)]);
  await state.addStatements(founding.statements);
  assert.equal(state.view().get("zone", `${ZONE}/k3/A/1`)?.value, "3");
  assert.equal(state.view().get("zone", `${ZONE}/k4/A/1`), undefined);
});

test("a log that another branch replaces is frozen alike before and after a start", async () => {
  const { founding, base, first, one, other } = story();
  const disk = new FakeDisk();
  const state = await startMember("quimper", base, disk);
  await take(state, [...first, ...one]);
  const suspension = founding.suspend(author, undefined, [headOf(first[1] ?? assert.fail())]);
  await state.addStatements(founding.statements);
  // The site itself names the other branch: what was held of this one goes.
  founding.leave(testKey("thief"), [headOf(other[0] ?? assert.fail())]);
  await state.addStatements(founding.statements);
  await take(state, [...first, ...other]);
  const again = await startState("quimper", disk);
  assert.equal(fingerprint(again), fingerprint(state));
  founding.unsuspend([suspension]);
  for (const each of [state, again]) await each.addStatements(founding.statements);
  assert.equal(fingerprint(again), fingerprint(state));
  assert.equal(state.view().get("zone", `${ZONE}/k5/A/1`)?.value, "right");
});
