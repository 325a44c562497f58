import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { idOf, type OperatorId, type SiteId } from "../../../protocol/ids.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import { StatementSet } from "./statement-set.ts";

/** Offers statements again and again until none enters. */
function offer(set: StatementSet, statements: readonly SignedStatement[]): void {
  // Not until the size stays: at a limit one that enters makes another leave.
  let entered;
  do {
    entered = statements.filter((statement) => set.add(statement).kind === "accepted");
  } while (entered.length > 0);
}

function ids(set: StatementSet): string[] {
  return set
    .all()
    .map(({ id }) => id as string)
    .toSorted();
}

test("a statement waits until its mesh, its signer and the one before it are here", () => {
  const founding = new Founding();
  founding.enrol("quimper");
  founding.own("coop");
  founding.delegate("coop", founding.enrol("brest"));
  const [genesis, quimper, coop, brest, delegation] = founding.statements;
  assert.ok(genesis && quimper && coop && brest && delegation);
  const set = new StatementSet();
  for (const early of [quimper, coop, brest, delegation]) {
    assert.deepEqual(set.add(early), { kind: "waiting" });
  }
  assert.equal(set.add(genesis).kind, "accepted");
  assert.equal(set.add(genesis).kind, "known");
  assert.equal(set.add(brest).kind, "waiting");
  assert.equal(set.add(delegation).kind, "waiting");
  for (const next of [quimper, coop, brest, delegation]) {
    assert.equal(set.add(next).kind, "accepted");
  }
});

test("statements of another mesh, and another GENESIS, are refused", () => {
  const set = new StatementSet();
  offer(set, new Founding("ours").statements);
  const operator = testKey("ours operator");
  const other = new Founding("theirs", [operator]);
  other.enrol("quimper");
  const [genesis, site] = other.statements;
  assert.ok(genesis && site);
  assert.deepEqual(set.add(genesis), { kind: "refused", reason: "E-STATE-GENESIS" });
  assert.deepEqual(set.add(site), { kind: "refused", reason: "E-STATE-MESH" });
});

test("the head of a chain is what the next statement has to carry", () => {
  const founding = new Founding();
  const operator = idOf<OperatorId>(founding.operator.publicKey);
  const set = new StatementSet();
  assert.equal(set.chainHead(operator), undefined);
  offer(set, founding.statements);
  assert.deepEqual(set.chainHead(operator), { seq: 1, prev: founding.meshId, lamport: 1 });
  for (const name of ["a", "b", "c"]) founding.enrol(name);
  offer(set, founding.statements);
  const { v: _, mesh: __, by, ...head } = founding.next(founding.operator);
  assert.deepEqual(set.chainHead(by), head);
});

test("the order of arrival has no influence, beyond the limit of a signer, too", () => {
  const founding = new Founding("small", undefined, {
    operatorStatements: 10,
    ownerStatements: 10,
  });
  for (let index = 0; index < 4; index++) founding.enrol(`before ${index}`.replace(" ", "-"));
  const forked = founding.fork();
  for (let index = 0; index < 6; index++) founding.enrol(`left-${index}`);
  for (let index = 0; index < 6; index++) forked.enrol(`right-${index}`);
  const all = [...new Set([...founding.statements, ...forked.statements.slice(5)])];
  const inOrder = new StatementSet();
  offer(inOrder, all);
  assert.equal(inOrder.size, 11, "GENESIS and ten statements");
  fc.assert(
    fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (order) => {
      const set = new StatementSet();
      offer(set, order);
      assert.deepEqual(ids(set), ids(inOrder));
    }),
    { numRuns: 100 },
  );
});

test("an owner who was admitted beyond the limit leaves with all that it signed", () => {
  const founding = new Founding("small", undefined, {
    operatorStatements: 10,
    ownerStatements: 10,
  });
  for (let index = 0; index < 4; index++) founding.enrol(`before-${index}`);
  const forked = founding.fork();
  for (let index = 0; index < 5; index++) founding.enrol(`left-${index}`);
  founding.own("coop");
  founding.delegate("coop", idOf<SiteId>(testKey("left-0").publicKey));
  for (let index = 0; index < 3; index++) forked.enrol(`right-${index}`);
  const late = new StatementSet();
  offer(late, founding.statements);
  offer(late, forked.statements);
  const early = new StatementSet();
  offer(early, forked.statements);
  offer(early, founding.statements);
  assert.deepEqual(ids(late), ids(early));
});

test("votes of one operator for one epoch, again and again, are taken in any order", () => {
  const operators = [testKey("ann"), testKey("bob")];
  const [ann, bob] = operators;
  assert.ok(ann && bob);
  const founding = new Founding("twice", operators);
  const epoch = founding.epoch();
  const forked = founding.fork();
  for (let i = 0; i < 4; i++) founding.vote(epoch, bob);
  for (let i = 0; i < 3; i++) {
    forked.enrol(`site-${i}`, { by: bob });
    forked.vote(epoch, bob);
  }
  const all = [...new Set([...founding.statements, ...forked.statements])];
  const inOrder = new StatementSet();
  offer(inOrder, all);
  assert.equal(inOrder.size, new Set(all.map(({ id }) => id)).size);
  fc.assert(
    fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (order) => {
      const set = new StatementSet();
      offer(set, order);
      assert.deepEqual(ids(set), ids(inOrder));
    }),
    { numRuns: 100, seed: 7 },
  );
});
