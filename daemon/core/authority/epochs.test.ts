import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { effectOf } from "../../../test-mesh/fakes/told-authority.ts";
import {
  idOf,
  sha256,
  type EnvelopeId,
  type LogId,
  type OperatorId,
  type StatementId,
} from "../../../protocol/ids.ts";
import { DEFAULT_LIMITS } from "../../../protocol/statements/genesis.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import { signStatement } from "../../../protocol/statements/statement.ts";
import { authorize } from "./authorize.ts";
import type { Authority } from "./authority.ts";

const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((name) => testKey(`operator ${name}`)) as [
  SigningKey,
  SigningKey,
  SigningKey,
  SigningKey,
  SigningKey,
];
const paper = testKey("paper");
const SITES = ["s1", "s2", "s3", "s4", "s5"];

/** Three operators of whom two decide, one recovery key, five sites enrolled by the first. */
function mesh(): Founding {
  const recovery = { keys: [paper], threshold: 1 };
  const founding = new Founding("epochs", [a, b, c], DEFAULT_LIMITS, recovery);
  for (const name of SITES) founding.enrol(name);
  return founding;
}

function operatorsOf(authority: Authority): string[] {
  return [...authority.operators.keys()].toSorted();
}

function ids(...keys: readonly SigningKey[]): string[] {
  return keys.map(({ publicKey }) => idOf<OperatorId>(publicKey) as string).toSorted();
}

function statusOf({ proposals }: Authority, epoch: StatementId): string | undefined {
  return proposals.find(({ id }) => id === epoch)?.status;
}

/** Two operators vote an epoch in. */
function decide(
  founding: Founding,
  by: readonly [SigningKey, ...SigningKey[]],
  change: Parameters<Founding["epoch"]>[0],
): StatementId {
  const [first, ...others] = by;
  const epoch = founding.epoch({ ...change, by: first });
  for (const other of others) founding.vote(epoch, other);
  return epoch;
}

test("an epoch counts once enough operators have voted, without any acknowledgement", () => {
  const founding = mesh();
  const epoch = founding.epoch({ by: a, operators: [a, b, c, d], features: ["x"] });
  let authority = authorize(founding.statements);
  assert.deepEqual(operatorsOf(authority), ids(a, b, c));
  const [open] = authority.proposals;
  assert.deepEqual([open?.status, open?.votes, open?.needed], ["open", ids(a), 2]);
  founding.vote(epoch, testKey("mallory"));
  assert.equal(authorize(founding.statements).epoch.n, 0);
  founding.vote(epoch, c);
  authority = authorize(founding.statements);
  assert.deepEqual(operatorsOf(authority), ids(a, b, c, d));
  assert.deepEqual([authority.epoch.n, authority.epoch.ids], [1, [epoch]]);
  assert.deepEqual([...authority.features], ["x"]);
  assert.deepEqual(authority.proposals, []);
});

test("of a dropped operator counts the path to the named head, and no other branch", () => {
  const founding = mesh();
  const before = founding.fork();
  const kept = founding.enrol("kept", { by: c });
  const branch = before.enrol("branch", { by: c });
  decide(founding, [a, b], { operators: [a, b] });
  const late = founding.enrol("late", { by: c });
  const authority = authorize(new Set([...founding.statements, ...before.statements]));
  assert.ok(authority.isMember(kept));
  assert.equal(authority.isMember(branch), false);
  assert.equal(authority.isMember(late), false);
});

test("an epoch is invalid that drops without an end, brings a key back or miscounts", () => {
  const founding = mesh();
  const noEnd = decide(founding, [a, b], { operators: [a, b], chains: [] });
  assert.equal(statusOf(authorize(founding.statements), noEnd), "invalid");
  const first = decide(founding, [a, b], { operators: [a, b], parents: [founding.meshId] });
  const back = decide(founding, [a, b], { operators: [a, b, c], parents: [first] });
  const paperBack = decide(founding, [a, b], {
    recovery: { keys: [c], threshold: 1 },
    parents: [first],
  });
  const authority = authorize(founding.statements);
  assert.deepEqual(authority.epoch.ids, [first]);
  assert.equal(statusOf(authority, back), "invalid");
  assert.equal(statusOf(authority, paperBack), "invalid");
});

test("a key that was revoked as a site's becomes no operator's", () => {
  const founding = mesh();
  const thief = idOf<never>(testKey("s5").publicKey);
  const first = decide(founding, [a, b], { revokes: [{ site: thief, logs: [] }] });
  const next = decide(founding, [a, b], { operators: [a, b, c, testKey("s5")] });
  const authority = authorize(founding.statements);
  assert.deepEqual(authority.epoch.ids, [first]);
  assert.equal(statusOf(authority, next), "invalid");
});

test("of two epochs with one number both count, and rights are what both give", () => {
  const founding = mesh();
  const siteId = idOf<never>(testKey("s5").publicKey);
  const one = decide(founding, [a, b], { operators: [a, b, d], revokes: [] });
  const two = decide(founding, [b, c], {
    parents: [founding.meshId],
    operators: [b, c, e],
    revokes: [{ site: siteId, logs: [] }],
  });
  const authority = authorize(founding.statements);
  assert.ok(authority.epoch.contested);
  assert.deepEqual(operatorsOf(authority), ids(b));
  assert.equal(authority.isMember(siteId), false);
  assert.deepEqual(
    [one, two].map((id) => statusOf(authority, id)),
    ["contested", "contested"],
  );
  assert.equal(authority.epoch.parents.length, 2);
});

test("the epoch that more than half of the sites acknowledged counts", () => {
  const founding = mesh();
  const one = decide(founding, [a, b], { operators: [a, b] });
  const two = decide(founding, [b, c], { parents: [founding.meshId], operators: [b, c] });
  for (const name of ["s1", "s2"]) founding.ack(one, testKey(name));
  assert.ok(authorize(founding.statements).epoch.contested, "two of five");
  founding.ack(one, testKey("s3"));
  const authority = authorize(founding.statements);
  assert.deepEqual(authority.epoch.ids, [one]);
  assert.equal(statusOf(authority, two), "outvoted");
  // Sites that say both take nothing away from what they said first.
  for (const name of ["s1", "s4"]) founding.ack(two, testKey(name));
  assert.deepEqual(authorize(founding.statements).epoch.ids, [one]);
});

test("half of the sites are no majority, and sites of one side alone none either", () => {
  const founding = mesh();
  founding.enrol("s6");
  const one = decide(founding, [a, b], { operators: [a, b] });
  const fork = founding.fork();
  decide(founding, [b, c], { parents: [founding.meshId], operators: [b, c] });
  for (const name of ["s1", "s2", "s3"]) founding.ack(one, testKey(name));
  assert.ok(authorize(founding.statements).epoch.contested, "three of six");
  founding.ack(one, testKey("s4"));
  assert.deepEqual(authorize(founding.statements).epoch.ids, [one]);
  for (let index = 0; index < 6; index++) fork.enrol(`unheard-${index}`);
  decide(fork, [b, c], { parents: [fork.meshId], operators: [b, c] });
  for (const name of ["s1", "s2", "s3", "s4"]) fork.ack(one, testKey(name));
  assert.ok(authorize(fork.statements).epoch.contested, "four of six, and of twelve");
});

test("expelled sites have no say in who decides", () => {
  const founding = mesh();
  const gone = ["s3", "s4", "s5"].map((name) => idOf<never>(testKey(name).publicKey));
  const first = decide(founding, [a, b], { revokes: gone.map((site) => ({ site, logs: [] })) });
  const one = decide(founding, [a, b], { operators: [a, b], parents: [first] });
  const two = decide(founding, [b, c], { operators: [b, c], parents: [first] });
  for (const name of ["s3", "s4", "s5"]) founding.ack(two, testKey(name));
  for (const name of ["s1", "s2"]) founding.ack(one, testKey(name));
  assert.deepEqual(authorize(founding.statements).epoch.ids, [one]);
});

test("an epoch with another number than the next one is invalid", () => {
  const founding = mesh();
  const epoch = founding.epoch({ by: a });
  const made = founding.statements.find(({ id }) => id === epoch);
  assert.ok(made?.body.kind === "EPOCH" && !("known" in made.body));
  const body = { ...made.body, n: 2 };
  const jump = signStatement(body, [a]);
  founding.vote(jump.id, b);
  const authority = authorize([...founding.statements.filter(({ id }) => id !== epoch), jump]);
  assert.equal(authority.epoch.n, 0);
  assert.equal(statusOf(authority, jump.id), "invalid");
});

test("an acknowledgement of what goes on from an epoch supports it", () => {
  const founding = mesh();
  const one = decide(founding, [a, b], { operators: [a, b] });
  const next = decide(founding, [a, b], { operators: [a, b, d] });
  decide(founding, [b, c], { parents: [founding.meshId], operators: [b, c] });
  for (const name of ["s1", "s2", "s3"]) founding.ack(next, testKey(name));
  assert.deepEqual(authorize(founding.statements).epoch.ids, [next]);
  assert.ok(one);
});

test("an epoch that goes on from all contested ones settles them, with the votes of each", () => {
  const founding = mesh();
  const one = decide(founding, [a, b], { operators: [a, b] });
  const two = decide(founding, [b, c], { parents: [founding.meshId], operators: [b, c] });
  const merge = founding.epoch({ by: b, parents: [one, two], operators: [b, d] });
  founding.vote(merge, a);
  assert.ok(authorize(founding.statements).epoch.contested, "one of two operators of the second");
  founding.vote(merge, c);
  const authority = authorize(founding.statements);
  assert.deepEqual(authority.epoch, { ...authority.epoch, n: 2, ids: [merge], contested: false });
  assert.deepEqual(operatorsOf(authority), ids(b, d));
});

test("without a majority of sites the recovery keys settle it", () => {
  const founding = mesh();
  const one = decide(founding, [a, b], { operators: [a, b] });
  decide(founding, [b, c], { parents: [founding.meshId], operators: [b, c] });
  founding.vote(one, paper);
  assert.deepEqual(authorize(founding.statements).epoch.ids, [one]);
});

test("the recovery keys expel a majority of the operators", () => {
  const founding = mesh();
  const epoch = founding.epoch({ by: paper, operators: [d, e] });
  const late = founding.enrol("late", { by: a });
  const authority = authorize(founding.statements);
  assert.deepEqual(authority.epoch.ids, [epoch]);
  assert.deepEqual(operatorsOf(authority), ids(d, e));
  assert.equal(authority.isMember(late), false);
  assert.equal(authority.sites.size, SITES.length);
});

test("late votes of expelled operators for an epoch of old change nothing", () => {
  const founding = mesh();
  const one = decide(founding, [a, b], { operators: [a, b, d] });
  for (const name of SITES) founding.ack(one, testKey(name));
  const two = decide(founding, [a, d], { operators: [a, d, e] });
  for (const name of SITES) founding.ack(two, testKey(name));
  const before = effectOf(authorize(founding.statements));
  const late = decide(founding, [c, b], { parents: [founding.meshId], operators: [b, c] });
  const authority = authorize(founding.statements);
  assert.equal(effectOf(authority), before);
  assert.equal(statusOf(authority, late), "outvoted");
});

/** An epoch of those who knew nothing but one site, which acknowledges it. */
function narrowed(
  founding: Founding,
  parent: StatementId,
  by: readonly [SigningKey, ...SigningKey[]],
) {
  const [mine] = founding.statements.filter(({ body }) => body.kind === "SITE");
  assert.ok(mine);
  const first = { by: idOf<OperatorId>(a.publicKey), seq: 1, head: mine.id };
  const others = [b, c].map(({ publicKey }) => founding.chainOf(idOf<OperatorId>(publicKey)));
  const narrow = decide(founding, by, {
    parents: [parent],
    operators: by.length === 1 ? [d] : [b, c],
    chains: [first, ...others],
  });
  founding.ack(narrow, testKey("s1"));
  return narrow;
}

test("a candidate that leaves out most sites gains nothing, and people settle it", () => {
  const founding = mesh();
  const one = decide(founding, [a, b], { operators: [a, b] });
  for (const name of SITES.slice(1)) founding.ack(one, testKey(name));
  narrowed(founding, founding.meshId as string as StatementId, [b, c]);
  let authority = authorize(founding.statements);
  assert.ok(authority.epoch.ids.includes(one));
  assert.deepEqual(operatorsOf(authority), ids(b));
  founding.vote(one, paper);
  authority = authorize(founding.statements);
  assert.deepEqual(authority.epoch.ids, [one]);
});

test("sites that the epoch before has named can neither be left out nor outnumbered", () => {
  for (const by of [[b, c], [paper]] as const) {
    const founding = mesh();
    const first = decide(founding, [a, b], { operators: [a, b, c] });
    const fresh = { keys: [testKey("new paper")], threshold: 1 };
    const one = decide(founding, [a, b], { operators: [a, b], recovery: fresh });
    for (const name of SITES.slice(1)) founding.ack(one, testKey(name));
    const before = effectOf(authorize(founding.statements));
    for (let index = 0; index < 12; index++) founding.enrol(`fake-${index}`, { by: c });
    const late = narrowed(founding, first, by);
    for (let index = 0; index < 12; index++) founding.ack(late, testKey(`fake-${index}`));
    const authority = authorize(founding.statements);
    assert.equal(effectOf(authority), before);
    assert.equal(statusOf(authority, late), "outvoted");
  }
});

test("sites that a rogue operator enrols for the purpose decide nothing alone", () => {
  const founding = mesh();
  const one = decide(founding, [a, b], { operators: [a, b] });
  for (const name of SITES) founding.ack(one, testKey(name));
  const crowd = Array.from({ length: 12 }, (_, index) => `fake-${index}`);
  for (const name of crowd) founding.enrol(name, { by: c });
  const two = decide(founding, [c, b], { parents: [founding.meshId], operators: [b, c] });
  for (const name of crowd) founding.ack(two, testKey(name));
  const authority = authorize(founding.statements);
  assert.ok(authority.epoch.ids.includes(one), "the fakes do not replace it");
  assert.deepEqual(operatorsOf(authority), ids(b), "nobody has gained anything");
  for (const name of crowd) assert.equal(authority.siteNamed(name), undefined);
});

test("what operators vote late changes nothing that recovery keys have done and sites have said", () => {
  const founding = mesh();
  const one = founding.epoch({ by: paper, operators: [d, e] });
  for (const name of SITES) founding.ack(one, testKey(name));
  const before = effectOf(authorize(founding.statements));
  for (let index = 0; index < 12; index++) founding.enrol(`fake-${index}`, { by: c });
  const late = decide(founding, [a, b, c], {
    parents: [founding.meshId],
    recovery: { keys: [], threshold: 0 },
  });
  for (let index = 0; index < 12; index++) founding.ack(late, testKey(`fake-${index}`));
  assert.equal(effectOf(authorize(founding.statements)), before);
});

test("a competitor of an old epoch gives back nothing that was taken since", () => {
  const founding = mesh();
  decide(founding, [a, b], { operators: [a, b, c, d] });
  decide(founding, [a, b, d], { operators: [a, b, c] });
  const siteId = idOf<never>(testKey("s5").publicKey);
  decide(founding, [a, b], { operators: [a, b], revokes: [{ site: siteId, logs: [] }] });
  decide(founding, [b, c], { parents: [founding.meshId], operators: [a, b, c] });
  const authority = authorize(founding.statements);
  assert.ok(authority.epoch.contested);
  assert.deepEqual(operatorsOf(authority), ids(a, b), "c is as expelled as it was");
  assert.equal(authority.isMember(siteId), false);
});

test("revoked several times, a log counts as far as each lets it", () => {
  const founding = mesh();
  const site = idOf<never>(testKey("s5").publicKey);
  const log = (name: string) => idOf<LogId>(sha256(name).subarray(0, 16));
  const end = (name: string, seq: number) => {
    return { log: log(name), seq, head: idOf<EnvelopeId>(sha256(`${name} ${seq}`)) };
  };
  founding.leave(testKey("s5"), [end("x", 9), end("y", 9)]);
  let authority = authorize(founding.statements);
  assert.deepEqual(authority.endedSites.get(site)?.ended, { kind: "left" });
  assert.deepEqual(authority.logLimit(site, log("x")), { seq: 9, head: end("x", 9).head });
  const epoch = decide(founding, [a, b], { revokes: [{ site, logs: [end("x", 5)] }] });
  authority = authorize(founding.statements);
  assert.deepEqual(authority.endedSites.get(site)?.ended, { kind: "revoked", epoch });
  assert.deepEqual(authority.logLimit(site, log("x")), { seq: 5, head: end("x", 5).head });
  assert.equal(authority.logLimit(site, log("y")), "none");
  assert.equal(authority.logLimit(idOf<never>(testKey("s1").publicKey), log("y")), "open");
});
