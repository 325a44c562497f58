import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, type OperatorId, type PeerKey } from "../../../protocol/ids.ts";
import { DEFAULT_LIMITS } from "../../../protocol/statements/genesis.ts";
import { StatementChain } from "../../../protocol/statements/statement-chain.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { epochContent, suspensionsAround, type EpochChange } from "./epoch-change.ts";
import { endedName, epochWords, outcomeOf, waitingWords } from "./epoch-text.ts";
import { recoveryAfter } from "./operators-recovery.ts";
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

test("recovery keys change by an epoch, and the new one decides alone", () => {
  const [old, fresh] = [testKey("old sheet"), testKey("new sheet")];
  const recovery = { keys: [old], threshold: 1 };
  const founding = new Founding("m", [ANNE, BOB], undefined, recovery);
  const mesh = new MeshKnowledge(founding.statements);
  const oldKey = idOf<PeerKey>(old.publicKey);
  const freshKey = idOf<PeerKey>(fresh.publicKey);
  const change = { recovery: recoveryAfter(mesh, [freshKey], [oldKey.slice(0, 8)], undefined) };
  const words = epochWords(mesh, epochContent(mesh, change), new Map()).join("\n");
  assert.match(words, /New +recovery key .* can decide/);
  assert.match(words, /No more +recovery key/);
  const { id, after } = propose(mesh, ANNE, change);
  const changed = vote(after, BOB, id);
  assert.deepEqual(changed.authority.recovery, { keys: [freshKey], threshold: 1 });
  const late = propose(changed, old, { drop: [keyOf(ANNE)] });
  assert.notEqual(outcomeOf(late.after, late.id)?.state, "counts", "the old sheet decides nothing");
  const alone = propose(changed, fresh, { drop: [keyOf(ANNE)] });
  assert.equal(outcomeOf(alone.after, alone.id)?.state, "counts");
});

test("what recovery keys cannot be is refused in words", () => {
  const recovery = { keys: [testKey("sheet")], threshold: 1 };
  const mesh = new MeshKnowledge(new Founding("m", [ANNE], undefined, recovery).statements);
  const key = idOf<PeerKey>(testKey("sheet").publicKey);
  const after = (...args: DropFirst<Parameters<typeof recoveryAfter>>) =>
    recoveryAfter(mesh, ...args);
  assert.throws(() => after([key], [], undefined), /a recovery key already/);
  assert.throws(() => after([idOf<PeerKey>(ANNE.publicKey)], [], undefined), /of an operator/);
  assert.throws(() => after([], ["0123456789"], undefined), { code: "E-UNKNOWN" });
  assert.throws(() => after([], [key.slice(0, 7)], undefined), { code: "E-UNKNOWN" });
  for (const wrong of ["2", "-1", "1.5", "x", ""]) {
    assert.throws(() => after([], [], wrong), { code: "E-USAGE" }, wrong);
  }
  assert.deepEqual(after([], [key], undefined), { keys: [], threshold: 0 });
  const words = epochWords(
    mesh,
    epochContent(mesh, { recovery: after([], [key], undefined) }),
    new Map(),
  );
  assert.match(words.join("\n"), /no recovery: /);
});

test("settling a contest keeps the recovery keys that neither side removed", () => {
  const [first, second] = [testKey("first"), testKey("second")];
  const recovery = { keys: [first, second], threshold: 2 };
  const mesh = new MeshKnowledge(new Founding("m", [ANNE, BOB], undefined, recovery).statements);
  const [one, two] = [first, second].map(({ publicKey }) => idOf<PeerKey>(publicKey));
  assert.ok(one !== undefined && two !== undefined);
  const left = propose(mesh, ANNE, { recovery: { keys: [one], threshold: 1 } });
  const right = propose(mesh, BOB, { recovery: { keys: [two], threshold: 1 } });
  let both = mesh.with([...left.after.statements, ...right.after.statements]);
  both = vote(vote(both, BOB, left.id), ANNE, right.id);
  assert.ok(both.authority.epoch.contested);
  const { id, after } = propose(both, ANNE, {});
  const settled = vote(after, BOB, id);
  assert.equal(outcomeOf(settled, id)?.state, "counts");
  assert.deepEqual(settled.authority.recovery, { keys: [], threshold: 0 });
});

test("hundreds of suspensions by a rogue operator do not keep it from being expelled", () => {
  const founding = new Founding("m", [ANNE, BOB, CAROL], {
    ...DEFAULT_LIMITS,
    operatorStatements: 1_000,
  });
  for (let times = 0; times < 300; times++) founding.suspend(keyOf(ANNE), BOB);
  const mesh = new MeshKnowledge(founding.statements);
  const unsuspends = suspensionsAround(mesh, keyOf(BOB));
  const { id, after } = propose(mesh, ANNE, { drop: [keyOf(BOB)], unsuspends });
  assert.equal(outcomeOf(vote(after, CAROL, id), id)?.state, "counts");
});

type DropFirst<All extends unknown[]> = All extends [unknown, ...infer Rest] ? Rest : never;
