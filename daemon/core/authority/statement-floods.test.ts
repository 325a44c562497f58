/**
 * What one signer can make others keep is bounded, and by adding to it nobody takes back what
 * others have built on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { ForkingLog } from "../../../test-mesh/hostile/forking-log.ts";
import {
  idOf,
  sha256,
  type EnvelopeId,
  type LogId,
  type OwnerId,
  type SiteId,
  type StatementId,
} from "../../../protocol/ids.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import { readEnvelope, type Envelope } from "../../../protocol/logs/envelope.ts";
import { encodeSignedHeader } from "../../../protocol/logs/signed-header.ts";
import { authorize } from "./authorize.ts";
import { StatementSet } from "./statement-set.ts";

const [a, b, c] = [testKey("operator a"), testKey("operator b"), testKey("operator c")];
const LIMIT = 10;

function mesh(): Founding {
  const limits = { operatorStatements: LIMIT, ownerStatements: LIMIT };
  return new Founding("floods", [a, b, c], limits);
}

function offer(set: StatementSet, statements: readonly SignedStatement[]): StatementSet {
  let entered;
  do {
    entered = statements.filter((statement) => set.add(statement).kind === "accepted");
  } while (entered.length > 0);
  return set;
}

function ids(set: StatementSet): string[] {
  return set
    .all()
    .map(({ id }) => id as string)
    .toSorted();
}

function assertAnyOrder(all: readonly SignedStatement[], seed: number): StatementSet {
  const inOrder = offer(new StatementSet(), all);
  fc.assert(
    fc.property(fc.shuffledSubarray([...all], { minLength: all.length }), (order) => {
      assert.deepEqual(ids(offer(new StatementSet(), order)), ids(inOrder));
    }),
    { numRuns: 40, seed },
  );
  return inOrder;
}

/** What a signer signs at the beginning of its chain, again and again, when it is far beyond. */
function flood(founding: Founding, by = b): SignedStatement[] {
  const branch = new Founding("floods", [a, b, c], {
    operatorStatements: LIMIT,
    ownerStatements: LIMIT,
  });
  for (let index = 0; index < LIMIT + 2; index++) branch.enrol(`flood-${index}`, { by });
  assert.equal(branch.meshId, founding.meshId);
  return branch.statements.slice(1);
}

test("an operator cannot take back its vote by signing more than is kept", () => {
  const founding = mesh();
  for (let index = 0; index < 7; index++) founding.enrol(`s${index}`, { by: b });
  const epoch = founding.epoch({ by: a, operators: [a, b] });
  founding.vote(epoch, b);
  const all = [...founding.statements, ...flood(founding)];
  const set = assertAnyOrder(all, 1);
  assert.deepEqual(authorize(set.all()).epoch.ids, [epoch]);
  assert.ok(set.size < all.length, "something had to leave");
});

test("nor an EPOCH that somebody else has voted for", () => {
  const founding = mesh();
  for (let index = 0; index < 7; index++) founding.enrol(`s${index}`, { by: b });
  const epoch = founding.epoch({ by: b, operators: [a, b] });
  founding.vote(epoch, a);
  const set = assertAnyOrder([...founding.statements, ...flood(founding)], 2);
  assert.deepEqual(authorize(set.all()).epoch.ids, [epoch]);
});

test("nor what an epoch has named as known, and from there it may sign as much again", () => {
  const founding = mesh();
  for (let index = 0; index < LIMIT; index++) founding.enrol(`s${index}`, { by: b });
  const epoch = founding.epoch({ by: a });
  founding.vote(epoch, c);
  for (let index = 0; index < LIMIT + 3; index++) founding.enrol(`t${index}`, { by: b });
  let set = assertAnyOrder(founding.statements, 3);
  assert.equal(authorize(set.all()).sites.size, 2 * LIMIT);
  set = assertAnyOrder([...founding.statements, ...flood(founding)], 4);
  const { sites } = authorize(set.all());
  for (let index = 0; index < LIMIT; index++) {
    assert.ok(sites.has(idOf<SiteId>(testKey(`s${index}`).publicKey)));
  }
});

for (const honest of [2, 1, 0]) {
  test(`whatever ${3 - honest} of three operators sign, all nodes keep the same`, () => {
    keepTheSame(honest);
  });
}

/** @param honest - How many operators keep to their limits. */
function keepTheSame(honest: number): void {
  const steps = fc.array(fc.tuple(fc.nat(9), fc.nat(5), fc.nat(4), fc.nat(7)), {
    minLength: 25,
    maxLength: 50,
  });
  let dropped = 0;
  fc.assert(
    fc.property(steps, fc.array(fc.nat(), { minLength: 60, maxLength: 60 }), (drawn, ranks) => {
      const all = misbehave(drawn, honest);
      const order = all
        .map((statement, at) => ({ statement, rank: ranks[at % 60] ?? 0 }))
        .toSorted((x, y) => x.rank - y.rank)
        .map(({ statement }) => statement);
      const [one, other] = [all, order].map((each) => offer(new StatementSet(), each));
      assert.ok(one && other);
      dropped += all.length - one.size;
      assert.deepEqual(ids(other), ids(one));
      // At once, too, and from what is left.
      assert.deepEqual(ids(StatementSet.of(all)), ids(one));
      assert.deepEqual(ids(StatementSet.of(one.all().toReversed())), ids(one));
    }),
    { numRuns: 60, seed: 12, endOnFailure: true },
  );
  assert.ok(dropped > 50, `${dropped} statements found no room`);
}

/** The first operators keep to their limits; the others sign on up to five branches without end. */
function misbehave(
  drawn: readonly (readonly [number, number, number, number])[],
  upright: number,
): readonly SignedStatement[] {
  const branches = [mesh()];
  const epochs: StatementId[] = [];
  const owners = new Map<OwnerId, string>();
  const used = [0, 0];
  const all = new Map<StatementId, SignedStatement>();
  for (const [at, [what, who, where, which]] of drawn.entries()) {
    const honest = who < upright && (used[who] ?? 0) < LIMIT - 1;
    const branch = branches[honest ? 0 : where % branches.length] ?? mesh();
    if (what === 0 && branches.length < 5) branches.push(branch.fork());
    const by = [a, b, c][honest ? who : upright + (who % (3 - upright))];
    if (by === undefined) continue;
    if (honest) used[who] = (used[who] ?? 0) + 1;
    const epoch = epochs[which % Math.max(epochs.length, 1)];
    if (what === 4) owners.set(branch.own(`o${which}`, by), `o${which}`);
    else if (what === 5 && owners.size > 0) {
      const name = [...owners.values()][which % owners.size] ?? "";
      branch.delegate(name, idOf<SiteId>(testKey(`x-${at}`).publicKey));
    } else if (what < 6 || (epoch === undefined && what > 6)) branch.enrol(`x-${at}`, { by });
    else if (what === 6) {
      epochs.push(branch.epoch({ by, parents: [branch.meshId], operators: [a, b, c] }));
    } else if (epoch !== undefined) branch.vote(epoch, by);
  }
  for (const { statements } of branches) for (const each of statements) all.set(each.id, each);
  return [...all.values()];
}

test("large statements are counted by their bytes", () => {
  const founding = new Founding("large", [a]);
  const site = founding.enrol("s1");
  const grant = founding.grant(site, "zone", null);
  const heads = Array.from({ length: 512 }, (_, index) => ({
    log: idOf<LogId>(sha256(`log ${index}`).subarray(0, 16)),
    seq: 1,
    head: idOf<EnvelopeId>(sha256("head")),
  }));
  for (let index = 0; index < 130; index++) founding.ungrant([grant], heads);
  const set = offer(new StatementSet(), founding.statements);
  const sizeBytes = set.all().reduce((sum, { bytes }) => sum + bytes.length, 0);
  assert.ok(sizeBytes <= 4 * 1024 * 1024 + 4096 && sizeBytes > 3.9 * 1024 * 1024);
});

test("keys that only proposals name have no chain here", () => {
  const founding = mesh();
  const stranger = testKey("stranger");
  const epoch = founding.epoch({ by: a, operators: [stranger] });
  const set = offer(new StatementSet(), founding.statements);
  founding.enrol("s1", { by: stranger });
  const late = founding.statements.at(-1);
  assert.ok(late);
  assert.equal(set.add(late).kind, "waiting");
  founding.vote(epoch, c);
  offer(set, founding.statements);
  assert.equal(set.size, founding.statements.length);
});

test("an epoch counts once the statements are here that it names of a dropped operator", () => {
  const founding = mesh();
  const site = founding.enrol("s1", { by: c });
  const epoch = founding.epoch({ by: a, operators: [a, b] });
  founding.vote(epoch, b);
  const [genesis, enrolment, ...decision] = founding.statements;
  assert.ok(genesis && enrolment);
  const set = offer(new StatementSet(), [genesis, ...decision]);
  const early = authorize(set.all());
  assert.deepEqual([early.epoch.n, early.operators.size], [0, 3]);
  assert.match(early.proposals[0]?.reason ?? "", /not here yet/);
  offer(set, founding.statements);
  const authority = authorize(set.all());
  assert.deepEqual([authority.epoch.n, authority.isMember(site)], [1, true]);
});

test("an acknowledgement waits for its site and for the votes of its epoch, and is bounded", () => {
  const founding = mesh();
  founding.enrol("s1");
  const set = offer(new StatementSet(), founding.statements);
  const epochs = Array.from({ length: 10 }, () => {
    const epoch = founding.epoch({ by: a, parents: [founding.meshId] });
    founding.ack(epoch, testKey("s1"));
    return epoch;
  });
  founding.ack(epochs[0] ?? assert.fail(), testKey("stranger"));
  offer(set, founding.statements);
  assert.equal(kinds(set, "ACK"), 0);
  for (const epoch of epochs) founding.vote(epoch, b);
  for (const epoch of epochs) founding.vote(epoch, c);
  const all = founding.statements;
  // Room for all of these in the chains of three signers of ten statements.
  assert.equal(kinds(assertAnyOrder(all, 5), "ACK"), 8);
});

function kinds(set: StatementSet, kind: string): number {
  return set.all().filter(({ body }) => body.kind === kind).length;
}

test("of many farewells those stay that leave least", () => {
  const founding = mesh();
  const site = founding.enrol("s1");
  const log = idOf<LogId>(sha256("log").subarray(0, 16));
  for (let seq = 9; seq >= 1; seq--) {
    const head = idOf<EnvelopeId>(sha256(`head ${seq}`));
    founding.leave(testKey("s1"), [{ log, seq, head }]);
  }
  const set = assertAnyOrder(founding.statements, 6);
  const kept = set.all().flatMap(({ body }) => {
    return body.kind === "LEAVE" && !("known" in body) ? body.heads.map(({ seq }) => seq) : [];
  });
  assert.deepEqual(
    kept.toSorted((x, y) => x - y),
    [1, 2, 3, 4],
  );
  const limit = authorize(set.all()).logLimit(site, log);
  assert.ok(typeof limit === "object" && limit.seq === 1);
});

test("of one log one proof of a fork is kept, the one that leaves least, and of a site eight", () => {
  const founding = mesh();
  const site = founding.enrol("s1");
  const proofs = Array.from({ length: 10 }, (_, index) => {
    const left = new ForkingLog(founding.meshId, testKey("s1"), { name: `log ${index}` });
    const start = left.snapshot();
    const early = left.fork();
    const common = left.update({ a: "a" });
    const late = left.fork();
    const [x, y] = [left.update({ b: "x" }), late.update({ b: "y" })];
    const z = early.update({ a: "z" });
    founding.forkProof(headerOf(x), headerOf(y));
    founding.forkProof(headerOf(common), headerOf(z));
    return { log: left.log, end: { seq: 1, head: start.id } };
  });
  const set = assertAnyOrder(founding.statements, 7);
  assert.equal(kinds(set, "FORK_PROOF"), 8);
  const authority = authorize(set.all());
  assert.equal(authority.mayOpenLogs(site), false);
  const limits = proofs.map(({ log }) => authority.logLimit(site, log));
  assert.equal(limits.filter((limit) => limit === "none").length, 2);
  const ends = proofs.filter(({ log }) => authority.forkedLogs.has(log));
  for (const { log, end } of ends) assert.deepEqual(authority.logLimit(site, log), end);
});

function headerOf({ bytes }: Envelope): Uint8Array {
  const { headerBytes, signature } = readEnvelope(bytes);
  return encodeSignedHeader(headerBytes, signature);
}

test("the end of a chain is named where all before it is here, so that its signer can be expelled", () => {
  const founding = mesh();
  const epoch = founding.epoch({ by: a, operators: [a, b, c] });
  for (let index = 0; index < LIMIT + 2; index++) founding.enrol(`s${index}`, { by: b });
  founding.vote(epoch, b);
  const set = offer(new StatementSet(), founding.statements);
  const ofB = set.all().filter(({ body }) => "seq" in body && body.by === idOf(b.publicKey));
  const seqs = ofB.map(({ body }) => ("seq" in body ? body.seq : 0)).toSorted((x, y) => x - y);
  assert.equal(seqs.at(-1), LIMIT + 3, "the vote is kept beyond what has left");
  const head = set.chainHead(idOf(b.publicKey));
  assert.equal(head?.seq, seqs.findIndex((seq, index) => seq !== index + 1) + 1);
});
