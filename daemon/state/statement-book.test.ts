import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { startMember } from "../../test-mesh/fakes/state-node.ts";
import { idOf, type OperatorId, type StatementId } from "../../protocol/ids.ts";
import { encodeStatement, signStatement, type SignedStatement } from "../../protocol/statement.ts";

/** More than may wait of all peers together in the smallest node. */
const FLOOD = 600;

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
  const node = await startMember("quimper", founding.statements);
  const before = founding.statements.length;
  for (let count = 0; count < 300; count++) founding.enrol(`site-${count}`);
  const [first, ...rest] = founding.statements.slice(before);
  assert.ok(first);
  for (const statement of [...rest.toReversed(), first]) {
    await node.replica.receiveStatement(encodeStatement(statement), brest);
  }
  assert.equal(node.authority().sites.size, 1 + 1 + 256);
});
