import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import type { EnvelopeId, LogId, PeerKey, SetId, SiteId } from "../../../protocol/ids.ts";
import { idOf, sha256 } from "../../../protocol/ids.ts";
import { signSiteRelease } from "../../../protocol/statements/site-statement.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import { authorize } from "./authorize.ts";
import type { Authority } from "./authority.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const OTHER_SET = "ffeeddccbbaa99887766554433221100" as SetId;

/** All that an authority says, for comparing two. */
function told(authority: Authority): string {
  const { meshId, meshName, operators, threshold, grants, delegations, forks } = authority;
  const { sites, endedSites, owners, idle } = authority;
  const plain = (_: string, value: unknown): unknown =>
    value instanceof Map || value instanceof Set
      ? [...(value as Iterable<unknown>)].map((item) => JSON.stringify(item, plain)).toSorted()
      : value instanceof Uint8Array
        ? [...value]
        : value;
  const all = { meshId, meshName, operators, threshold, sites, endedSites, owners, idle };
  return JSON.stringify({ ...all, grants, delegations, forks }, plain);
}

test("nobody may do anything before there is a mesh", () => {
  const authority = authorize([]);
  assert.equal(authority.meshId, undefined);
  assert.equal(authority.isMember(idOf<PeerKey>(testKey("x").publicKey)), false);
});

test("a site is a member and writes its own classes, nothing shared", () => {
  const founding = new Founding();
  const quimper = founding.enrol("quimper");
  const authority = authorize(founding.statements);
  assert.equal(authority.siteNamed("quimper")?.siteId, quimper);
  assert.ok(authority.isMember(quimper));
  for (const own of ["site", "offer", "place", "hold", "note"] as const) {
    assert.ok(authority.mayWrite(quimper, own, "any"));
  }
  assert.equal(authority.mayWrite(quimper, "zone", "bzh.example/www/A/1"), false);
  assert.equal(authority.mayWrite(quimper, "policy", "any"), false);
});

test("a grant with a selector covers the keys below it alone", () => {
  const founding = new Founding();
  const quimper = founding.enrol("quimper");
  const brest = founding.enrol("brest");
  founding.grant(quimper, "zone", "bzh.example");
  founding.grant(brest, "zone", null);
  const authority = authorize(founding.statements);
  assert.ok(authority.mayWrite(quimper, "zone", "bzh.example/www/A/1"));
  assert.equal(authority.mayWrite(quimper, "zone", "bzh.example.org/www/A/1"), false);
  assert.equal(authority.mayWrite(quimper, "zone", "example/www/A/1"), false);
  assert.ok(authority.mayWrite(brest, "zone", "anything/www/A/1"));
});

test("a right that is taken back leaves what was written up to the named ends", () => {
  const founding = new Founding();
  const [quimper, brest] = ["quimper", "brest"].map((name) => founding.enrol(name));
  assert.ok(quimper && brest);
  const end = (seq: number) => {
    return { log: SET as string as LogId, seq, head: idOf<EnvelopeId>(sha256(`head ${seq}`)) };
  };
  const zone = founding.grant(quimper, "zone", "bzh.example");
  const all = founding.grant(quimper, "policy", null);
  const other = founding.grant(brest, "zone", "bzh.example");
  const mixed = founding.ungrant([zone, other], [end(9)]);
  let authority = authorize(founding.statements);
  assert.match(authority.idle.get(mixed) ?? "", /several sites/);
  assert.deepEqual(authority.endedGrants, []);
  founding.ungrant([zone], [end(5)]);
  founding.ungrant([zone], [end(7)]);
  authority = authorize(founding.statements);
  assert.equal(authority.mayWrite(quimper, "zone", "bzh.example/www/A/1"), false);
  assert.equal(authority.mayWriteClass(quimper, "zone"), false);
  assert.ok(authority.mayWrite(brest, "zone", "bzh.example/www/A/1"));
  assert.ok(authority.mayWrite(quimper, "policy", "any"));
  assert.deepEqual(
    authority.endedGrants.map(({ site, selector, heads }) => [
      site,
      selector,
      heads.get(end(5).log),
    ]),
    [[quimper, "bzh.example", { seq: 5, head: end(5).head }]],
  );
  // Given and taken once more: what either of them lets count, counts.
  const again = founding.grant(quimper, "zone", "bzh.example");
  authority = authorize(founding.statements);
  assert.deepEqual(authority.endedGrants, []);
  assert.ok(authority.mayWrite(quimper, "zone", "bzh.example/www/A/1"));
  founding.ungrant([again], [end(8)]);
  authority = authorize(founding.statements);
  assert.equal(authority.endedGrants[0]?.heads.get(end(8).log)?.seq, 8);
  assert.ok(all);
});

test("of two sites with one name both stay members, and the first keeps the name", () => {
  const founding = new Founding();
  const first = founding.enrol("quimper", { key: testKey("a") });
  const second = founding.enrol("quimper", { key: testKey("b") });
  const authority = authorize(founding.statements);
  assert.equal(authority.siteNamed("quimper")?.siteId, first);
  assert.equal(authority.sites.get(second)?.name, `quimper-${second.slice(0, 8)}`);
});

test("a key is enrolled once", () => {
  const founding = new Founding();
  const site = founding.enrol("quimper", { key: testKey("a") });
  founding.enrol("brest", { key: testKey("a") });
  const authority = authorize(founding.statements);
  assert.equal(authority.sites.size, 1);
  assert.equal(authority.sites.get(site)?.name, "quimper");
  assert.equal(authority.idle.size, 1);
});

test("a statement by a key that is no operator has no effect", () => {
  const founding = new Founding();
  const stranger = founding.enrol("stranger", { by: testKey("mallory") });
  assert.equal(authorize(founding.statements).isMember(stranger), false);
});

test("a recovery key belongs to its owner", () => {
  const founding = new Founding();
  const owner = founding.own("coop");
  const authority = authorize(founding.statements);
  const recovery = idOf<PeerKey>(testKey("recovery coop").publicKey);
  assert.equal(authority.ownerOfRecovery(recovery)?.ownerId, owner);
  assert.equal(authority.isMember(recovery), false);
});

test("the highest delegation that names a set decides, before those that name none", () => {
  const founding = new Founding();
  const [quimper, brest] = ["quimper", "brest"].map((name) => founding.enrol(name));
  assert.ok(quimper && brest);
  const owner = founding.own("coop");
  founding.delegate("coop", quimper);
  assert.equal(authorize(founding.statements).delegatedSite(owner, SET), quimper);
  founding.delegate("coop", brest);
  let authority = authorize(founding.statements);
  assert.equal(authority.delegatedSite(owner, SET), undefined, "two sites start sets");
  assert.equal(authority.delegationFor(owner, SET, brest)?.site, brest);
  assert.equal(authority.delegationFor(owner, SET, quimper)?.site, quimper);
  founding.delegate("coop", quimper, SET);
  founding.delegate("coop", brest, SET, 60);
  authority = authorize(founding.statements);
  assert.equal(authority.delegatedSite(owner, SET), brest);
  assert.equal(authority.delegationFor(owner, SET, brest)?.lockDays, 60);
  assert.equal(authority.delegationFor(owner, SET, quimper), undefined);
  assert.equal(authority.delegationFor(owner, OTHER_SET, quimper)?.set, null);
});

test("a replacement takes the name, and ends the old site at the named heads", () => {
  const founding = new Founding();
  const old = founding.enrol("quimper");
  founding.own("coop");
  founding.delegate("coop", old);
  const fresh = idOf<SiteId>(testKey("new box").publicKey);
  const head = { log: SET as never, seq: 7, head: idOf(sha256("head")) as never };
  const release = signSiteRelease(testKey("owner coop"), {
    mesh: founding.meshId,
    old,
    new: fresh,
    heads: [head],
  });
  founding.enrol("quimper", { key: testKey("new box"), release });
  const authority = authorize(founding.statements);
  assert.equal(authority.isMember(old), false);
  assert.equal(authority.siteNamed("quimper")?.siteId, fresh);
  assert.equal(authority.siteNamed("quimper")?.replaces, old);
  assert.deepEqual(authority.endedSites.get(old)?.ended, { kind: "replaced", by: fresh });
  assert.equal(authority.endedSites.get(old)?.heads.get(head.log)?.seq, 7);
  assert.ok(authority.mayWrite(old, "site", "node"), "what it wrote up to there stays");
});

test("nobody but the site or its owner can give its place away", () => {
  const founding = new Founding();
  const old = founding.enrol("quimper");
  founding.own("stranger");
  const release = signSiteRelease(testKey("owner stranger"), {
    mesh: founding.meshId,
    old,
    new: idOf<SiteId>(testKey("new box").publicKey),
    heads: [],
  });
  const taker = founding.enrol("quimper", { key: testKey("new box"), release });
  const authority = authorize(founding.statements);
  assert.ok(authority.isMember(old));
  assert.equal(authority.isMember(taker), false);
});

test("both branches of a forked chain count, and the fork is named", () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const before = founding.fork();
  const brest = founding.enrol("brest");
  const vannes = before.enrol("vannes");
  const authority = authorize([...founding.statements, ...before.statements.slice(2)]);
  assert.ok(authority.isMember(brest) && authority.isMember(vannes));
  assert.deepEqual(
    authority.forks.map(({ seq, ids }) => [seq, ids.length]),
    [[2, 2]],
  );
});

test("the order of the statements has no influence", () => {
  const all = crowd();
  const expected = told(authorize(all));
  fc.assert(
    fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (order) => {
      assert.equal(told(authorize(order)), expected);
    }),
    { numRuns: 60 },
  );
});

/** Statements that get in one another's way as much as possible. */
function crowd(): SignedStatement[] {
  const other = testKey("second operator");
  const founding = new Founding("crowd", [testKey("crowd operator"), other]);
  const quimper = founding.enrol("quimper");
  founding.enrol("quimper", { key: testKey("b"), by: other });
  founding.enrol("brest", { key: testKey("b") });
  founding.own("coop");
  founding.own("coop", other);
  founding.delegate("coop", quimper);
  founding.delegate("coop", quimper, SET);
  founding.grant(quimper, "zone", "a.example", other);
  const forked = founding.fork();
  founding.enrol("vannes");
  forked.enrol("vannes", { key: testKey("c") });
  for (const name of ["d", "e"]) {
    const release = signSiteRelease(testKey("owner coop"), {
      mesh: founding.meshId,
      old: quimper,
      new: idOf<SiteId>(testKey(name).publicKey),
      heads: [],
    });
    founding.enrol("quimper", { key: testKey(name), release });
  }
  return [...new Set([...founding.statements, ...forked.statements])];
}
