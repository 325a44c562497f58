/** What a disk damages that nobody would bring again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, type SiteId } from "../../protocol/ids.ts";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { bring, startMember, startState } from "../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { ForkingLog } from "../../test-mesh/hostile/forking-log.ts";
import { entryKey, STATEMENTS } from "./keys.ts";

const thief = idOf<SiteId>(testKey("thief").publicKey);

function founded(): Founding {
  const founding = new Founding("copies");
  for (const name of ["quimper", "brest", "thief"]) founding.enrol(name);
  return founding;
}

test("a site knows its peers also when each of its statements was damaged once", async () => {
  const founding = founded();
  const disk = new FakeDisk();
  const before = await startMember("quimper", founding.statements, disk);
  const digest = before.replica.statementDigest();
  const keys = [...disk.content.keys()].filter((key) => key.startsWith(STATEMENTS.from));
  assert.ok(keys.length >= 4);
  for (const [at, key] of keys.entries()) disk.flipBit(key, 97 * at);
  const after = await startState("quimper", disk);
  assert.equal(after.replica.statementDigest(), digest);
  // What was put right stands twice again: another fault finds it whole.
  for (const key of keys) {
    disk.content.delete(key);
    const again = await startState("quimper", disk);
    assert.equal(again.replica.statementDigest(), digest, key);
  }
});

test("a statement of which both copies are damaged is left out, and taken again", async () => {
  const founding = founded();
  const disk = new FakeDisk();
  const before = await startMember("quimper", founding.statements, disk);
  const digest = before.replica.statementDigest();
  const last = founding.statements.at(-1);
  assert.ok(last);
  for (const key of disk.content.keys()) if (key.endsWith(last.id)) disk.flipBit(key, 5);
  const after = await startState("quimper", disk);
  assert.notEqual(after.replica.statementDigest(), digest);
  await after.addStatements([last]);
  assert.equal((await startState("quimper", disk)).replica.statementDigest(), digest);
});

test("a log of which early snapshots were damaged is still handed on", async () => {
  const founding = founded();
  const log = new ForkingLog(founding.meshId, testKey("thief"), {});
  const entries = [1, 2, 3, 4].flatMap((at) => [log.snapshot(), log.update({ [`k${at}`]: "v" })]);
  for (const damaged of [[1], [3], [5], [1, 3], [3, 5], [1, 3, 5]]) {
    const disk = new FakeDisk();
    const quimper = await startMember("quimper", founding.statements, disk);
    for (const { bytes } of entries) await quimper.replica.receiveEnvelope(bytes, thief);
    for (const seq of damaged) disk.flipBit(entryKey(log.log, seq), 1000);
    const after = await startState("quimper", disk);
    assert.equal(after.view().hash, quimper.view().hash);
    const brest = await startMember("brest", founding.statements);
    await bring(after, brest);
    await bring(after, brest);
    assert.equal(brest.view().hash, quimper.view().hash, `entries ${damaged.join()}`);
    assert.equal(brest.replica.stateDigest(), quimper.replica.stateDigest());
  }
});
