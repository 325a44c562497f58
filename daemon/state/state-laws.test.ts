import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { bring, entriesOf, startMember, startState } from "../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { idOf, type SiteId } from "../../protocol/ids.ts";
import { signSiteRelease } from "../../protocol/statements/site-statement.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";
import type { State } from "./state.ts";

const SITES = ["quimper", "brest", "lorient"] as const;
const KEYS = ["bzh.example/www/A/1", "bzh.example/mail/A/1", "other.example/www/A/1"];

/** One thing that happens in a mesh of three. */
const act = fc.record({
  site: fc.nat(2),
  what: fc.constantFrom("zone", "own", "delete", "exchange", "restart", "restart"),
  key: fc.nat(2),
  value: fc.integer({ min: 0, max: 9 }),
});
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

/** What three sites make of these acts: all statements and entries that there are then. */
async function play(acts: readonly Act[]): Promise<{
  readonly statements: readonly SignedStatement[];
  readonly entries: readonly Uint8Array[];
}> {
  const founding = new Founding("laws");
  const sites = SITES.map((name) => founding.enrol(name));
  founding.grant(sites[0] ?? fail(), "zone", null);
  founding.grant(sites[1] ?? fail(), "zone", "bzh.example");
  founding.grant(sites[2] ?? fail(), "zone", "other.example");
  const disks = SITES.map(() => new FakeDisk());
  const nodes = await Promise.all(
    SITES.map((name, index) => startMember(name, founding.statements, disks[index])),
  );
  for (const { site, what, key, value } of acts) {
    const node = nodes[site] ?? fail();
    const name = KEYS[key] ?? fail();
    if (what === "exchange") {
      await bring(node, nodes[(site + 1) % 3] ?? fail());
    } else if (what === "restart") {
      nodes[site] = await startState(SITES[site] ?? fail(), disks[site]);
    } else if (what === "own") {
      await node.write([{ class: "site", key: `service/${key}`, value }]);
    } else if (node.authority().mayWrite(node.siteId, "zone", name)) {
      const wanted = what === "delete" ? undefined : value;
      await node.write([{ class: "zone", key: name, value: wanted }]);
    }
  }
  const entries = (await Promise.all(nodes.map(entriesOf))).flat();
  return { statements: founding.statements, entries };
}

function fail(): never {
  throw new Error("out of range");
}

/** A node that got these in this order, and was restarted on the way. */
async function receive(
  statements: readonly SignedStatement[],
  entries: readonly Uint8Array[],
  restartAt: number,
): Promise<State> {
  const disk = new FakeDisk();
  let node = await startState("observer", disk);
  const [genesis, ...rest] = statements;
  assert.ok(genesis);
  await node.addStatements([genesis]);
  const from = idOf<SiteId>(testKey("quimper").publicKey);
  for (const [at, bytes] of entries.entries()) {
    if (at === restartAt) {
      disk.cutPower();
      node = await startState("observer", disk);
    }
    // Half of the statements come amid the entries.
    if (at === entries.length >> 1) await node.addStatements(rest);
    await node.replica.receiveEnvelope(bytes, from);
  }
  await node.addStatements(rest);
  // What waited in memory when the power was cut comes again with the next round.
  for (const bytes of entries) await node.replica.receiveEnvelope(bytes, from);
  return node;
}

test("equal sets give equal views: any order, twice, with restarts", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 5, maxLength: 25 }),
      fc.infiniteStream(fc.nat()),
      fc.nat(30),
      async (acts, chance, restartAt) => {
        const { statements, entries } = await play(acts);
        const inOrder = await receive(statements, entries, -1);
        const order = entries
          .concat(entries)
          .map((bytes) => ({ bytes, rank: chance.next().value ?? 0 }))
          .toSorted((a, b) => a.rank - b.rank)
          .map(({ bytes }) => bytes);
        const shuffled = await receive(statements, order, restartAt);
        assert.equal(shuffled.view().hash, inOrder.view().hash);
        assert.equal(shuffled.replica.stateDigest(), inOrder.replica.stateDigest());
        assert.deepEqual(
          shuffled
            .view()
            .entries("zone")
            .map(({ key, value }) => [key, value]),
          inOrder
            .view()
            .entries("zone")
            .map(({ key, value }) => [key, value]),
        );
      },
    ),
    { numRuns: 15 },
  );
});

test("a box that was put back to an older image forks nothing and loses nothing confirmed", async () => {
  const founding = new Founding();
  for (const name of SITES) founding.grant(founding.enrol(name), "zone", null);
  const disk = new FakeDisk();
  const brest = await startMember("brest", founding.statements);
  let quimper = await startMember("quimper", founding.statements, disk);
  await quimper.write([{ class: "site", key: "node", value: "old" }]);
  const image = disk.image();
  await quimper.write([{ class: "site", key: "node", value: "new" }]);
  await quimper.write([{ class: "site", key: "node", value: "newest" }]);
  await quimper.write([{ class: "site", key: "service/web", value: "confirmed" }]);
  await bring(quimper, brest);

  disk.restore(image);
  quimper = await startState("quimper", disk);
  assert.equal(quimper.view().get("site", "node")?.value, "old");
  await quimper.write([{ class: "site", key: "service/mail", value: "after" }]);
  await bring(quimper, brest);
  assert.deepEqual([...brest.doubledSites()], [quimper.siteId]);
  await bring(brest, quimper);
  for (const state of [quimper, brest]) {
    const shown = state
      .view()
      .entries("site")
      .map(({ key, value }) => [key, value]);
    assert.deepEqual(shown, [
      ["node", "newest"],
      ["service/mail", "after"],
      ["service/web", "confirmed"],
    ]);
  }
  assert.equal(quimper.view().hash, brest.view().hash);
  // The next start takes up what was lost, and the view stays as it is.
  quimper = await startState("quimper", disk);
  await quimper.write([{ class: "site", key: "service/mail", value: "later" }]);
  await bring(quimper, brest);
  assert.equal(brest.doubledSites().size, 0);
  assert.equal(brest.view().get("site", "node")?.value, "newest");
  assert.equal(brest.view().get("site", "service/web")?.value, "confirmed");
  assert.equal(quimper.view().hash, brest.view().hash);
});

test("two boxes with one key show up, and both keep what they wrote", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  founding.enrol("brest");
  const one = await startMember("quimper", founding.statements);
  const two = await startMember("quimper", founding.statements);
  const brest = await startMember("brest", founding.statements);
  await one.write([{ class: "note", key: "one", value: 1 }]);
  await two.write([{ class: "note", key: "two", value: 2 }]);
  await bring(one, brest);
  await bring(two, brest);
  assert.deepEqual(
    brest
      .view()
      .entries("note")
      .map(({ key }) => key),
    ["one", "two"],
  );
  assert.deepEqual([...brest.doubledSites()], [one.siteId]);
});

test("a damaged or lost entry ends its log, and comes again from a peer", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  founding.enrol("brest");
  const quimper = await startMember("quimper", founding.statements);
  for (let value = 0; value < 6; value++) {
    await quimper.write([{ class: "note", key: `note ${value % 3}`, value }]);
  }
  const disk = new FakeDisk();
  await bring(quimper, await startMember("brest", founding.statements, disk));
  const stored = [...disk.content.keys()].filter((key) => key.startsWith("entry/"));
  assert.equal(stored.length, 7);
  for (const [at, key] of stored.entries()) {
    disk.flipBit(key, 1000 + at * 37);
    const brest = await startState("brest", disk);
    assert.notEqual(brest.replica.stateDigest(), quimper.replica.stateDigest());
    await bring(quimper, brest);
    assert.equal(brest.view().hash, quimper.view().hash);
    assert.equal(brest.replica.stateDigest(), quimper.replica.stateDigest());
    assert.equal((await startState("brest", disk)).view().hash, quimper.view().hash);
  }
});

test("a replaced site's entries count up to the named heads, whenever they came", async () => {
  const founding = new Founding();
  const old = founding.enrol("quimper");
  founding.grant(old, "zone", null);
  founding.enrol("brest");
  founding.own("coop");
  founding.delegate("coop", old);
  const before = [...founding.statements];
  const disk = new FakeDisk();
  const first = await startMember("quimper", before, disk);
  await first.write([{ class: "zone", key: "a.example/www/A/1", value: "older" }]);
  const quimper = await startState("quimper", disk);
  await quimper.write([{ class: "zone", key: "a.example/www/A/1", value: "good" }]);
  // Of two logs the older was taken up; the release names the other one alone.
  const heads = quimper.cutoffs(quimper.siteId);
  assert.equal(heads.length, 1);
  const good = await startMember("brest", before);
  await bring(quimper, good);
  // The thief of the old box goes on writing, in the log that was named and in another one.
  await quimper.write([{ class: "zone", key: "a.example/www/A/1", value: "bad" }]);
  await quimper.write([{ class: "note", key: "bad", value: "bad" }]);
  const late = await startMember("brest", before);
  await bring(quimper, late);
  assert.equal(late.view().get("zone", "a.example/www/A/1")?.value, "bad");

  const fresh = testKey("new box");
  const release = signSiteRelease(testKey("owner coop"), {
    mesh: founding.meshId,
    old,
    new: idOf<SiteId>(fresh.publicKey),
    heads: [...heads],
  });
  founding.enrol("quimper", { key: fresh, release });
  await good.addStatements(founding.statements);
  await late.addStatements(founding.statements);
  await bring(quimper, good);
  for (const state of [good, late]) {
    assert.equal(state.view().get("zone", "a.example/www/A/1")?.value, "good");
    assert.deepEqual(state.view().entries("note"), []);
    assert.deepEqual(
      state.logHeads().map(({ log, seq, head }) => ({ log, seq, head })),
      heads,
    );
  }
  assert.equal(late.view().hash, good.view().hash);
  assert.equal(late.replica.stateDigest(), good.replica.stateDigest());
  const joiner = await startMember("brest", founding.statements);
  await bring(quimper, joiner);
  await bring(quimper, joiner);
  assert.equal(joiner.view().hash, good.view().hash);
  assert.equal(joiner.replica.stateDigest(), good.replica.stateDigest());
  await assert.rejects(
    (async () => {
      await quimper.addStatements(founding.statements);
      await quimper.write([{ class: "note", key: "more", value: 1 }]);
    })(),
    { code: "E-STATE-RIGHT" },
  );
});
