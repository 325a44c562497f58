import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, sha256, type SetId, type SiteId } from "../../protocol/ids.ts";
import type { FailureDomains } from "../../protocol/site-statement.ts";
import { placeGroup, type Candidate, type PlacementRequest } from "./placement.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;

function domains(facts: Partial<FailureDomains> = {}): FailureDomains {
  return { building: "", power: "", uplink: "", country: "", ...facts };
}

function site(name: string, facts: Partial<Candidate> = {}): Candidate {
  return {
    siteId: idOf<SiteId>(sha256(name)),
    spaceBytes: 1000,
    freeBytes: 1000,
    domains: domains(),
    org: `org of ${name}`,
    operator: `operator of ${name}`,
    ...facts,
  };
}

function request(candidates: Candidate[], facts: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    set: SET,
    group: 0,
    sizeBytes: 100,
    copies: 3,
    from: { siteId: idOf<SiteId>(sha256("home")), domains: domains(), org: "home" },
    current: [],
    candidates,
    ...facts,
  };
}

const named = (names: string): Candidate[] => Array.from(names, (name) => site(name));

test("takes three distinct sites and never the one the data comes from", () => {
  const { targets, missing } = placeGroup(request([site("home"), ...named("abcde")]));
  assert.equal(new Set(targets).size, 3);
  assert.equal(missing, 0);
  assert.ok(!targets.includes(idOf<SiteId>(sha256("home"))));
});

test("says how many copies have no site", () => {
  const { targets, missing, withoutRoom } = placeGroup(
    request([site("a"), site("b"), site("full", { freeBytes: 99 })]),
  );
  assert.equal(targets.length, 2);
  assert.equal(missing, 1);
  assert.equal(withoutRoom, 1);
});

test("puts no two copies into one building, nor into the owner's", () => {
  const shared = { domains: domains({ building: "mill" }) };
  const crowd = [
    site("a", shared),
    site("b", shared),
    site("c", { domains: domains({ power: "dam" }) }),
  ];
  const home = {
    siteId: idOf<SiteId>(sha256("home")),
    domains: domains({ power: "dam" }),
    org: "home",
  };
  assert.equal(placeGroup(request(crowd)).targets.length, 2);
  assert.equal(placeGroup(request(crowd, { from: home })).targets.length, 1);
});

test("finds the distinct three even where the best score blocks two others", () => {
  // m shares something with x and with y; only x, y and z together make three.
  const m = site("m", { domains: domains({ building: "1", power: "2" }) });
  const x = site("x", { domains: domains({ building: "1" }) });
  const y = site("y", { domains: domains({ power: "2" }) });
  const all = [m, x, y, site("z")];
  for (let group = 0; group < 16; group++) {
    assert.equal(placeGroup(request(all, { group })).missing, 0);
  }
});

test("prefers other organisations and operators, and names the concern when there are none", () => {
  const mates = ["a", "b", "c"].map((name) => site(name, { org: "same", operator: "one" }));
  assert.deepEqual(placeGroup(request(mates)).concerns, ["same-operator", "same-organisation"]);
  const mixed = placeGroup(request([...mates, site("x"), site("y")]));
  assert.deepEqual(mixed.concerns, []);
});

test("keeps a holder that has no room left", () => {
  const full = site("full", { freeBytes: 0 });
  const { targets } = placeGroup(request([full, ...named("abcdefgh")], { current: [full.siteId] }));
  assert.equal(targets[0], full.siteId);
});

test("gives a site with a larger offer more groups", () => {
  const sites = [site("large", { spaceBytes: 4000 }), ...named("abcdef")];
  const [large] = sites;
  let held = 0;
  for (let group = 0; group < 100; group++) {
    if (placeGroup(request(sites, { group, copies: 1 })).targets[0] === large?.siteId) held++;
  }
  assert.ok(held > 25 && held < 60, `${held} of 100 groups, expected about 40`);
});

test("law: the order of the candidates has no influence, and leaving moves only what was held", () => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 12 }), fc.nat(127), fc.nat(), (count, group, pick) => {
      const sites = named("abcdefghijkl".slice(0, count));
      const before = placeGroup(request(sites, { group })).targets;
      assert.deepEqual(placeGroup(request(sites.toReversed(), { group })).targets, before);
      const gone = before[pick % before.length];
      const rest = sites.filter(({ siteId }) => siteId !== gone);
      const after = placeGroup(request(rest, { group })).targets;
      for (const kept of before) if (kept !== gone) assert.ok(after.includes(kept));
    }),
  );
});

test("refuses a nonsensical number of copies", () => {
  assert.throws(() => placeGroup(request([], { copies: 0 })), RangeError);
});
