import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, sha256, type SetId, type SiteId } from "../../../protocol/ids.ts";
import { NO_RULES } from "../../../protocol/logs/record.ts";
import { lackText, sharedDomains } from "./placement-lack.ts";
import { placeGroup, type Candidate, type PlacementRequest } from "./placement.ts";

function site(name: string, domains: Partial<Candidate["domains"]>, freeBytes = 1000): Candidate {
  return {
    ...{ siteId: idOf<SiteId>(sha256(name)), spaceBytes: 1000, freeBytes, lends: true },
    domains: { building: "", power: "", uplink: "", country: "", ...domains },
    ...{ org: `org of ${name}`, operator: `operator of ${name}` },
  };
}

function request(candidates: readonly Candidate[], home: Partial<Candidate["domains"]> = {}) {
  const from = site("home", home);
  return {
    ...{ set: "00112233445566778899aabbccddeeff" as SetId, group: 0, sizeBytes: 100, copies: 3 },
    ...{ from, current: [], candidates, rules: NO_RULES },
  } satisfies PlacementRequest;
}

const textOf = (asked: PlacementRequest): string | undefined => lackText(asked, placeGroup(asked));

test("says nothing when nothing is missing", () => {
  assert.equal(textOf(request(["a", "b", "c"].map((name) => site(name, {})))), undefined);
});

test("says how many sites, and where they must not be", () => {
  const mill = { building: "mill" };
  const two = [site("a", mill), site("b", mill), site("c", {})];
  assert.equal(textOf(request(two)), 'Needs 1 more site outside building "mill" that lends space.');
  const none = [site("a", mill), site("b", { power: "dam" }), site("c", { uplink: "one" }, 0)];
  assert.equal(
    textOf(request(none, { building: "mill", power: "dam" })),
    'Needs 3 more sites outside building "mill" and power "dam" that lend space (1 has no room left).',
  );
});

test("says where a further site would have to be, and what is wrong with those that there are", () => {
  const at = (name: string, country: string): Candidate => site(name, { country });
  const all = [at("a", "FR"), at("b", "US"), at("c", "US"), at("d", ""), at("e", "ZZ")];
  const asked = request([...all, { ...at("f", "DE"), lends: false }]);
  assert.equal(
    textOf({ ...asked, rules: { allow: ["FR", "DE"], deny: [], holders: null } }),
    "Needs 2 more sites in DE or FR that lend space (1 lends nothing to this owner, " +
      "2 are in countries that are not wanted, 2 do not say their country).",
  );
  assert.equal(
    textOf({ ...asked, rules: { allow: [], deny: ["US"], holders: null } }),
    "Needs 2 more sites not in US that lend space (1 lends nothing to this owner, " +
      "2 are in countries that are not wanted, 2 do not say their country).",
  );
  const named = all.slice(0, 2).map(({ siteId }) => siteId);
  assert.equal(
    textOf({ ...asked, rules: { allow: [], deny: [], holders: named } }),
    "Needs 1 more site of those that its owner names that lends space.",
  );
});

/** Every choice of sites without two that share something, the slow way. */
function mostWithoutClash(asked: PlacementRequest): number {
  let most = 0;
  for (let bits = 0; bits < 2 ** asked.candidates.length; bits++) {
    const some = asked.candidates.filter((_site, at) => (bits >> at) & 1);
    const fits = some.every((one, at) => {
      const others = [asked.from, ...some.slice(0, at)];
      const clashes = others.some((other) => sharedDomains(one, other).length > 0);
      return one.freeBytes >= asked.sizeBytes && !clashes;
    });
    if (fits) most = Math.max(most, some.length);
  }
  return Math.min(most, asked.copies);
}

test("law: as many holders as any choice could give, and a sentence exactly when one is missing", () => {
  const word = fc.constantFrom("", "", "1", "2", "3");
  const domains = fc.record({ building: word, power: word, uplink: word });
  const some = fc.array(fc.tuple(domains, fc.constantFrom(0, 1000)), { maxLength: 8 });
  fc.assert(
    fc.property(some, domains, (all, home) => {
      const candidates = all.map(([where, free], at) => site(`site ${at}`, where, free));
      const asked = request(candidates, home);
      const placement = placeGroup(asked);
      assert.equal(placement.targets.length, mostWithoutClash(asked));
      assert.equal(lackText(asked, placement) === undefined, placement.missing === 0);
    }),
  );
});
