import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { PlacedGroup, siteOf } from "../../../test-mesh/fakes/placed-group.ts";
import { holdKey } from "../../../protocol/logs/record.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { groupFacts } from "./group-facts.ts";
import { coHolders, effectiveTargets, standingOf } from "./holder-standing.ts";

const [home, a, b, c, d, e] = ["home", "a", "b", "c", "d", "e"].map(siteOf) as [
  SiteId,
  SiteId,
  SiteId,
  SiteId,
  SiteId,
  SiteId,
];
const all = new Set([home, a, b, c, d, e]);
const nobody: ReadonlySet<SiteId> = new Set();

function factsOf(placed: PlacedGroup, members: ReadonlySet<SiteId> = all) {
  const facts = groupFacts(placed.view, members, placed.name);
  assert.ok(facts);
  return facts;
}

test("a target that never got the group counts while its owner's site can send it", () => {
  const placed = new PlacedGroup([a, b, c]);
  placed.view.put(c, "hold", holdKey(placed.name.owner, placed.name.set), undefined);
  assert.equal(effectiveTargets(factsOf(placed), nobody).missing, 0);
  const { gone, missing } = effectiveTargets(factsOf(placed), new Set([home]));
  assert.deepEqual([[...gone], missing], [[[c, "empty"]], 1]);
});

test("three targets that nobody complains of are all there is to it", () => {
  const { live, missing, gone } = effectiveTargets(factsOf(new PlacedGroup([a, b, c])), nobody);
  assert.deepEqual({ live, missing, gone: gone.size }, { live: [a, b, c], missing: 0, gone: 0 });
});

test("the owner's site alone proves a loss, a co-holder alone does not, two do", () => {
  const placed = new PlacedGroup([a, b, c]);
  placed.saysLost(a, c);
  assert.equal(standingOf(factsOf(placed), c, nobody), "holds");
  placed.saysLost(b, c);
  assert.equal(standingOf(factsOf(placed), c, nobody), "lost");
  const other = new PlacedGroup([a, b, c]);
  other.saysLost(home, c);
  assert.equal(standingOf(factsOf(other), c, nobody), "lost");
});

test("those who do not hold the group have no word in it, nor has a holder about itself", () => {
  const placed = new PlacedGroup([a, b, c]);
  for (const asker of [c, d, e]) placed.saysLost(asker, c);
  placed.saysLost(a, c);
  assert.equal(standingOf(factsOf(placed), c, nobody), "holds");
});

test("the word of a dead owner's site is one of two", () => {
  const placed = new PlacedGroup([a, b, c]);
  placed.saysLost(home, c);
  const dead = new Set([home]);
  assert.equal(standingOf(factsOf(placed), c, dead), "holds");
  placed.saysLost(a, c);
  assert.equal(standingOf(factsOf(placed), c, dead), "lost");
});

test("the last holder that is there is believed alone", () => {
  const placed = new PlacedGroup([a, b, c]);
  for (const site of [b, c]) placed.says(a, site, { silent: true, outcome: "offline" });
  const { live, missing } = effectiveTargets(factsOf(placed), new Set([home, b, c]));
  assert.deepEqual({ live, missing }, { live: [a], missing: 2 });
  // Whoever hears b and the owner's site does not believe a alone.
  assert.equal(effectiveTargets(factsOf(placed), new Set([c])).missing, 0);
});

test("a site that left or was revoked is gone, whatever anybody says", () => {
  const members = new Set([home, a, b, d]);
  const { gone, missing } = effectiveTargets(factsOf(new PlacedGroup([a, b, c]), members), nobody);
  assert.deepEqual([...gone], [[c, "ended"]]);
  assert.equal(missing, 1);
});

test("a site that a holder had take in the copy fills the place; one named by a stranger does not", () => {
  const placed = new PlacedGroup([a, b, c]);
  placed.saysLost(home, c);
  placed.repairs(e, e);
  assert.equal(effectiveTargets(factsOf(placed), nobody).missing, 1);
  placed.repairs(a, d);
  const filled = effectiveTargets(factsOf(placed), nobody);
  assert.deepEqual(filled.live, [a, b, d]);
  assert.ok(coHolders(factsOf(placed)).includes(d));
});

test("of two named at once only one counts, until it holds the group", () => {
  const placed = new PlacedGroup([a, b, c]);
  placed.saysLost(home, c);
  placed.repairs(a, d);
  placed.repairs(b, e);
  assert.equal(effectiveTargets(factsOf(placed), nobody).live.length, 3);
  placed.holds(e);
  assert.ok(effectiveTargets(factsOf(placed), nobody).live.includes(e));
});

test("a newcomer that holds the group may name the next one", () => {
  const placed = new PlacedGroup([a], 1);
  placed.saysLost(home, a);
  placed.repairs(a, b);
  placed.holds(b);
  placed.saysLost(home, b);
  placed.repairs(b, c);
  assert.deepEqual(effectiveTargets(factsOf(placed), nobody).live, [c]);
});

test("law: whatever is said, nobody is live twice, gone and live, or the signing site", () => {
  const random = new SeededRandom(41);
  const sites = [home, a, b, c, d, e];
  for (let round = 0; round < 300; round++) {
    const placed = new PlacedGroup(random.shuffled(sites).slice(0, random.below(5)));
    for (let count = random.below(12); count > 0; count--) {
      const [x, y] = [random.pick(sites), random.pick(sites)];
      const what = random.below(10);
      if (what < 4) placed.saysLost(x, y);
      else if (what < 6) placed.says(x, y, { silent: random.chance(0.5) });
      else if (what < 8) placed.repairs(x, y);
      else placed.holds(x);
    }
    const members = new Set(sites.filter(() => random.chance(0.9)));
    const absent = new Set(sites.filter(() => random.chance(0.2)));
    const facts = factsOf(placed, members);
    const { live, gone, missing } = effectiveTargets(facts, absent);
    assert.equal(new Set(live).size, live.length);
    assert.ok(live.every((site) => !gone.has(site) && members.has(site) && site !== home));
    assert.equal(missing, Math.max(0, facts.copies - live.length));
    // More that is said never makes more of those first targets live.
    const accused = facts.targets.find((site) => live.includes(site));
    if (accused === undefined || !members.has(home) || absent.has(home)) continue;
    placed.saysLost(home, accused);
    assert.ok(!effectiveTargets(factsOf(placed, members), absent).live.includes(accused));
  }
});
