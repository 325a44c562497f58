import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, type OperatorId } from "../../protocol/ids.ts";
import { StatementChain } from "../../protocol/statement-chain.ts";
import type { SigningKey } from "../../protocol/signature.ts";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { epochContent, suspensionsAround, type EpochChange } from "./epoch-change.ts";
import { endedName, epochWords, outcomeOf, waitingWords } from "./epoch-text.ts";
import { MeshKnowledge } from "./mesh-knowledge.ts";

const [ANNE, BOB, CAROL] = ["anne", "bob", "carol"].map((name) => testKey(name)) as [
  SigningKey,
  SigningKey,
  SigningKey,
];
const keyOf = (key: SigningKey): OperatorId => idOf<OperatorId>(key.publicKey);
const DORA = { key: keyOf(testKey("dora")), name: "Dora" };

function propose(mesh: MeshKnowledge, by: SigningKey, change: EpochChange) {
  const chain = new StatementChain(mesh.meshId, by, mesh.headOf(keyOf(by)));
  const statement = chain.sign(epochContent(mesh, change));
  return { id: statement.id, after: mesh.with([statement]) };
}

function vote(mesh: MeshKnowledge, by: SigningKey, id: string): MeshKnowledge {
  const epoch = mesh.statements.find((each) => each.id === id)?.id;
  assert.ok(epoch !== undefined);
  const chain = new StatementChain(mesh.meshId, by, mesh.headOf(keyOf(by)));
  return mesh.with([chain.sign({ kind: "VOTE", epoch })]);
}

test("what is changed changes, all else stays, and most have to sign from then on", () => {
  const mesh = new MeshKnowledge(new Founding("m", [ANNE, BOB, CAROL]).statements);
  const { id, after } = propose(mesh, ANNE, { add: [DORA] });
  const open = outcomeOf(after, id);
  assert.deepEqual([open?.state, open?.needed, open?.missing.length], ["open", 2, 2]);
  assert.match(waitingWords(id, open ?? assert.fail()), /1 of 2 signatures/);
  const decided = vote(after, BOB, id);
  assert.equal(outcomeOf(decided, id)?.state, "counts");
  const { operators, threshold, epoch } = decided.authority;
  assert.deepEqual([operators.size, threshold, epoch.n], [4, 3, 1]);
});

test("a dropped operator is named, its end too, and the operators that it suspended are free", () => {
  const founding = new Founding("m", [ANNE, BOB, CAROL]);
  const site = founding.enrol("quimper", { by: BOB });
  founding.suspend(keyOf(ANNE), BOB);
  founding.suspend(keyOf(BOB), ANNE);
  const held = founding.suspend(site, BOB);
  const mesh = new MeshKnowledge(founding.statements);
  const unsuspends = suspensionsAround(mesh, keyOf(BOB));
  assert.equal(unsuspends.length, 2);
  const content = epochContent(mesh, { drop: [keyOf(BOB)], unsuspends });
  assert.equal(content.chains.find(({ by }) => by === keyOf(BOB))?.seq, 3);
  assert.equal(endedName(mesh, content), "operator 1");
  const words = epochWords(mesh, content, new Map()).join("\n");
  assert.match(words, /No more +operator 1\. Statement 3 is its last/);
  assert.match(words, /Decide by +2 of 2 signatures \(was 2 of 3\)/);
  const { id, after } = propose(mesh, ANNE, { drop: [keyOf(BOB)], unsuspends });
  const decided = vote(after, CAROL, id);
  assert.deepEqual(
    decided.authority.suspensions.map(({ id: open }) => open),
    [held],
  );
  assert.ok(decided.authority.isMember(site), "what it had decided stays");
});

test("an operator that has signed nothing can be dropped, too", () => {
  const mesh = new MeshKnowledge(new Founding("m", [ANNE, BOB, CAROL]).statements);
  const { id, after } = propose(mesh, ANNE, { drop: [keyOf(CAROL)] });
  assert.equal(outcomeOf(vote(after, BOB, id), id)?.state, "counts");
});

test("no mesh is without operators, and no threshold above their number", () => {
  const mesh = new MeshKnowledge(new Founding("m", [ANNE]).statements);
  assert.throws(() => epochContent(mesh, { drop: [keyOf(ANNE)] }), { code: "E-USAGE" });
  assert.throws(() => epochContent(mesh, { threshold: 2 }), { code: "E-USAGE" });
});

test("settling a contest keeps all whom neither side dropped", () => {
  const founding = new Founding("m", [ANNE, BOB]);
  const mesh = new MeshKnowledge(founding.statements);
  const erik = { key: keyOf(testKey("erik")), name: "Erik" };
  const one = propose(mesh, ANNE, { add: [DORA], threshold: 1 });
  const other = propose(mesh, BOB, { add: [erik], threshold: 1 });
  let both = mesh.with([...one.after.statements, ...other.after.statements]);
  both = vote(vote(both, BOB, one.id), ANNE, other.id);
  assert.ok(both.authority.epoch.contested);
  assert.equal(outcomeOf(both, one.id)?.state, "contested");
  const content = epochContent(both, {});
  const names = content.operators.map(({ name }) => name).toSorted();
  assert.deepEqual(names, ["Dora", "Erik", "operator 0", "operator 1"]);
  const { id, after } = propose(both, ANNE, { threshold: 1 });
  assert.equal(outcomeOf(after, id)?.state, "counts");
});
