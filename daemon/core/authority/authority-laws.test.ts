/**
 * Laws of authority, for drawn and for all orders: it is a function of the set, it never grows by
 * a competing epoch, somebody can always make the next one, and nobody is silenced.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { effectOf, toldBy } from "../../../test-mesh/fakes/told-authority.ts";
import { DEFAULT_LIMITS } from "../../../protocol/statements/genesis.ts";
import {
  idOf,
  type OwnerId,
  type PeerKey,
  type SetId,
  type SiteId,
  type StatementId,
} from "../../../protocol/ids.ts";
import { signOwnerClaim } from "../../../protocol/statements/owner-statement.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import { signStatement, type SignedStatement } from "../../../protocol/statements/statement.ts";
import { authorize } from "./authorize.ts";
import type { Authority } from "./authority.ts";
import { StatementSet } from "./statement-set.ts";

const [a, b, c, d] = [
  testKey("operator a"),
  testKey("operator b"),
  testKey("operator c"),
  testKey("operator d"),
];
const operators = [a, b, c, d];
const paper = testKey("paper");
const SET = "00112233445566778899aabbccddeeff" as SetId;

function mesh(): Founding {
  return new Founding("laws", [a, b, c], DEFAULT_LIMITS, {
    keys: [paper],
    threshold: 1,
  });
}

/** Offers statements again and again until none enters. */
function settle(statements: readonly SignedStatement[]): StatementSet {
  const set = new StatementSet();
  let entered;
  do {
    entered = statements.filter((statement) => set.add(statement).kind === "accepted");
  } while (entered.length > 0);
  return set;
}

function* permutations<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  if (items.length <= 1) {
    yield items;
    return;
  }
  for (const [at, item] of items.entries()) {
    for (const rest of permutations(items.toSpliced(at, 1))) yield [item, ...rest];
  }
}

/** Seven statements each, with as much that depends on something else as fits. */
const scenes: Readonly<Record<string, () => readonly SignedStatement[]>> = {
  "a contest that one site settles": () => {
    const founding = mesh();
    founding.enrol("s1");
    const one = founding.epoch({ by: a, operators: [a, b] });
    founding.vote(one, b);
    const two = founding.epoch({ by: c, parents: [founding.meshId], operators: [b, c] });
    founding.vote(two, b);
    founding.ack(one, testKey("s1"));
    return founding.statements;
  },
  "an expelled operator that goes on": () => {
    const founding = mesh();
    founding.enrol("s1", { by: c });
    const fork = founding.fork();
    const one = founding.epoch({ by: a, operators: [a, b] });
    founding.vote(one, b);
    const late = founding.enrol("late", { by: c });
    founding.suspend(late, c);
    const branch = fork.enrol("branch", { by: c });
    assert.ok(branch);
    return [...founding.statements, ...fork.statements.slice(-1)];
  },
  "an owner with a new key": () => {
    const founding = mesh();
    const site = founding.enrol("s1");
    founding.own("coop");
    founding.delegate("coop", site);
    const old = founding.ownerKey("coop");
    const thief = founding.fork();
    founding.replaceOwner("coop", testKey("owner coop 2"));
    founding.delegate("coop", site, SET);
    thief.delegate("coop", site, SET, 1, old);
    return [...founding.statements, ...thief.statements.slice(-1)];
  },
  "rights that come and go": () => {
    const founding = mesh();
    const site = founding.enrol("s1");
    const grant = founding.grant(site, "zone", "bzh.example");
    founding.ungrant([grant], [], b);
    founding.unsuspend([founding.suspend(site, b)], c);
    founding.leave(testKey("s1"));
    return founding.statements;
  },
};

for (const [name, make] of Object.entries(scenes)) {
  test(`every order of seven statements adds up to the same: ${name}`, () => {
    const all = make();
    assert.equal(all.length, 7);
    const expected = toldBy(authorize(all));
    for (const order of permutations(all)) {
      const set = settle(order);
      assert.equal(set.size, 7);
      assert.equal(toldBy(authorize(set.all())), expected);
    }
  });
}

/** One drawn step of a mesh with four sites, four keys of operators and one of recovery. */
type Step = readonly [what: number, who: number, which: number, mask: number, voters: number];
const steps = fc.array(fc.tuple(fc.nat(5), fc.nat(4), fc.nat(7), fc.nat(15), fc.nat(15)), {
  minLength: 2,
  maxLength: 9,
});

function chosen(mask: number) {
  return operators.filter((_, at) => (mask >> at) % 2 === 1);
}

/** Epochs of all kinds on any earlier one, votes and acknowledgements of anybody. */
function play(drawn: readonly Step[]): Founding {
  const founding = mesh();
  const names = ["s1", "s2", "s3"];
  for (const name of names) founding.enrol(name);
  founding.enrol("s4", { by: c });
  const epochs: StatementId[] = [];
  for (const [what, who, which, mask, voters] of drawn) {
    const by = operators[who] ?? paper;
    const epoch = epochs[which - 2];
    if (what <= 2) {
      const parents = [epoch ?? founding.meshId];
      const other = epochs[mask % Math.max(epochs.length, 1)];
      if (what === 2 && epoch !== undefined && other !== undefined && other !== epoch) {
        parents.push(other);
      }
      const site = idOf<SiteId>(testKey(names[which % 3] ?? "").publicKey);
      const revokes = mask % 4 === 0 ? [{ site, logs: [] }] : [];
      const next = mask === 0 ? operators.slice(0, 1) : chosen(mask);
      const features = ["x", "y"].slice(voters % 2, 1 + ((voters >> 1) % 2));
      const made = founding.epoch({ by, parents, operators: next, revokes, features });
      for (const voter of chosen(voters)) founding.vote(made, voter);
      epochs.push(made);
    } else if (what === 3) founding.enrol(`late-${founding.statements.length}`, { by });
    else if (epoch === undefined) continue;
    else if (what === 4) founding.vote(epoch, by);
    else for (const name of names.slice(0, 1 + (mask % 3))) founding.ack(epoch, testKey(name));
  }
  return founding;
}

function isSubset(small: Iterable<string>, large: Iterable<string>): boolean {
  const all = new Set(large);
  return [...small].every((each) => all.has(each));
}

/** Whether `after` gives nobody anything that `before` did not. */
function givesNoMore(before: Authority, after: Authority): boolean {
  return (
    isSubset(after.operators.keys(), before.operators.keys()) &&
    isSubset(after.sites.keys(), before.sites.keys()) &&
    isSubset(after.features, before.features) &&
    [...before.endedSites.keys()].every((site) => !after.sites.has(site))
  );
}

test("a competing epoch never adds to what anybody may do", () => {
  let contests = 0;
  fc.assert(
    fc.property(steps, fc.nat(7), fc.nat(15), (drawn, which, mask) => {
      const founding = play(drawn);
      const before = authorize(founding.statements);
      const epochs = founding.statements.filter(({ body }) => body.kind === "EPOCH");
      const parent = epochs[which]?.id ?? founding.meshId;
      if (before.epoch.ids.includes(parent)) return;
      const next = chosen(mask);
      const change = { parents: [parent], features: ["x", "y", "z"] };
      const late = founding.epoch({ by: a, ...change, operators: next.length === 0 ? [d] : next });
      for (const voter of operators) founding.vote(late, voter);
      const after = authorize(founding.statements);
      if (after.epoch.ids.includes(late)) contests += 1;
      assert.ok(givesNoMore(before, after));
    }),
    { numRuns: 250, seed: 7 },
  );
  assert.ok(contests > 40, `${contests} contests were drawn`);
});

test("there is always somebody who can make the next epoch", () => {
  fc.assert(
    fc.property(steps, (drawn) => {
      const { epoch } = authorize(play(drawn).statements);
      assert.ok(epoch.parents.length > 0);
      for (const { operators: voters, threshold } of epoch.parents) {
        assert.ok(threshold >= 1 && voters.size >= threshold);
      }
    }),
    { numRuns: 150, seed: 8 },
  );
});

test("the order of arrival has no influence on contests", () => {
  fc.assert(
    fc.property(steps, fc.infiniteStream(fc.nat()), (drawn, numbers) => {
      const all = play(drawn).statements;
      const order = all
        .map((statement) => ({ statement, rank: numbers.next().value ?? 0 }))
        .toSorted((x, y) => x.rank - y.rank)
        .map(({ statement }) => statement);
      const [one, other] = [settle(all), settle(order)];
      assert.deepEqual(idsOf(one), idsOf(other));
      assert.equal(toldBy(authorize(one.all())), toldBy(authorize(other.all())));
    }),
    { numRuns: 100, seed: 9 },
  );
});

function idsOf(set: StatementSet): string[] {
  return set
    .all()
    .map(({ id }) => id as string)
    .toSorted();
}

test("SUSPEND alone changes nothing that was accepted", () => {
  const founding = mesh();
  const site = founding.enrol("s1");
  founding.grant(site, "zone", null);
  founding.enrol("s2", { by: b });
  const before = authorize(founding.statements);
  founding.suspend(site, b);
  founding.suspend(idOf<SiteId>(b.publicKey), a);
  const after = authorize(founding.statements);
  assert.equal(after.suspensions.length, 2);
  const effect = effectOf({ ...after, suspensions: before.suspensions });
  assert.equal(effect, effectOf(before));
});

test("nobody lifts a suspension of the own key, and any other operator does", () => {
  const founding = mesh();
  const suspension = founding.suspend(idOf<SiteId>(c.publicKey), a);
  founding.unsuspend([suspension], c);
  assert.ok(authorize(founding.statements).isSuspended(idOf<SiteId>(c.publicKey)));
  founding.unsuspend([suspension], b);
  assert.deepEqual(authorize(founding.statements).suspensions, []);
});

test("two who suspend each other, and one who suspends all others, leave the rest its vote", () => {
  for (const mutual of [true, false]) {
    const founding = mesh();
    const suspended: SiteId[] = [a, b, c].map(({ publicKey }) => idOf<SiteId>(publicKey));
    for (const key of mutual ? suspended.slice(0, 1) : suspended.slice(0, 2)) {
      founding.suspend(key, c);
    }
    if (mutual) founding.suspend(idOf<SiteId>(c.publicKey), a);
    const open = authorize(founding.statements).suspensions.map(({ id }) => id);
    assert.equal(open.length, 2);
    const epoch = founding.epoch({ by: a, operators: [a, b], unsuspends: open });
    const parked = new Set([epoch]);
    founding.vote(epoch, b);
    const authority = authorize(founding.statements, parked);
    assert.deepEqual(authority.epoch.ids, [epoch]);
    assert.deepEqual([...authority.operators.keys()].toSorted(), suspended.slice(0, 2).toSorted());
    assert.deepEqual(authority.suspensions, []);
  }
});

test("an owner's old key counts up to where its successor took over", () => {
  const founding = mesh();
  const [s1, s2] = ["s1", "s2"].map((name) => founding.enrol(name));
  assert.ok(s1 && s2);
  const owner = founding.own("coop");
  founding.delegate("coop", s1, SET);
  const old = founding.ownerKey("coop");
  const thief = founding.fork();
  const fresh = testKey("owner coop 2");
  founding.replaceOwner("coop", fresh);
  for (let index = 0; index < 5; index++) thief.delegate("coop", s2, SET, 30, old);
  const authority = authorize(new Set([...founding.statements, ...thief.statements]));
  assert.equal(authority.owners.get(owner)?.sign, idOf(fresh.publicKey));
  assert.equal(authority.delegatedSite(owner, SET), s1);
  founding.delegate("coop", s2, SET);
  assert.equal(authorize(founding.statements).delegatedSite(owner, SET), s2);
  // A thief that finds an operator comes too late with a key of its own.
  thief.replaceOwner("coop", testKey("thief"), b);
  const both = authorize(new Set([...founding.statements, ...thief.statements]));
  assert.equal(both.owners.get(owner)?.sign, idOf(fresh.publicKey));
  // Nor does a key that was replaced give the owner away, wherever it claims to go on from.
  const claim = signOwnerClaim([testKey("thief"), old], {
    mesh: founding.meshId,
    owner,
    sign: idOf<OwnerId>(testKey("thief").publicKey),
    box: new Uint8Array(32),
    recovery: idOf<PeerKey>(testKey("recovery coop").publicKey),
    name: "coop",
    org: "",
    country: "",
    ...placeAfter(founding, fresh),
  });
  const head = { ...founding.next(b), kind: "OWNER" } as const;
  const theft = signStatement({ ...head, ...claim }, [b]);
  const robbed = authorize([...founding.statements, theft]);
  assert.equal(robbed.owners.get(owner)?.sign, idOf(fresh.publicKey));
});

function placeAfter(founding: Founding, key: SigningKey) {
  const { seq, prev } = founding.next(key);
  return { seq, prev };
}
