import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type SiteId } from "../../../protocol/ids.ts";
import { FULLY_LINKED_SITES, neighboursOf } from "./overlay.ts";

const someSites = (count: number): SiteId[] =>
  Array.from({ length: count }, (_, index) => idOf<SiteId>(sha256(`site ${index}`)));

type Graph = ReadonlyMap<SiteId, ReadonlySet<SiteId>>;

const graphOf = (sites: readonly SiteId[]): Graph =>
  new Map(sites.map((site) => [site, neighboursOf(site, sites)]));

/** The steps from a site to each that it reaches. */
function steps(graph: Graph, from: SiteId, without: ReadonlySet<SiteId> = new Set()) {
  const reached = new Map([[from, 0]]);
  for (const [site, step] of reached) {
    for (const next of graph.get(site) ?? []) {
      if (!reached.has(next) && !without.has(next)) reached.set(next, step + 1);
    }
  }
  return reached;
}

test("up to 50 sites are linked with all others, whatever the order says", () => {
  const sites = someSites(FULLY_LINKED_SITES);
  for (const site of sites) {
    assert.deepEqual(
      [...neighboursOf(site, sites)].toSorted(),
      sites.filter((other) => other !== site).toSorted(),
    );
  }
  const [alone] = sites;
  assert.ok(alone !== undefined && neighboursOf(alone, []).size === 0);
});

test("more than 50 have some 8 links each, which are mutual, and do not depend on the order", () => {
  for (const count of [51, 200, 500]) {
    const sites = someSites(count);
    const graph = graphOf(sites);
    let links = 0;
    for (const [site, chosen] of graph) {
      assert.ok(chosen.size >= 4 && chosen.size <= 8, `${chosen.size} links`);
      assert.ok(!chosen.has(site));
      for (const other of chosen) assert.ok(graph.get(other)?.has(site), "mutual");
      links += chosen.size;
    }
    assert.ok(links / count > 7, `${links / count} on average`);
    const [first] = sites;
    assert.ok(first !== undefined);
    const turned = neighboursOf(first, sites.toReversed());
    assert.deepEqual([...turned].toSorted(), [...(graph.get(first) ?? [])].toSorted());
  }
});

test("500 sites reach one another in 5 steps, and nearly all do when a third is away", () => {
  const sites = someSites(500);
  const graph = graphOf(sites);
  for (const site of sites.slice(0, 50)) {
    const reached = steps(graph, site);
    assert.equal(reached.size, 500);
    assert.ok(Math.max(...reached.values()) <= 5, `${Math.max(...reached.values())} steps`);
  }
  const away = new Set(sites.slice(0, 166));
  const [present] = sites.slice(166);
  assert.ok(present !== undefined);
  assert.ok(steps(graph, present, away).size >= 332);
});

test("a site that comes changes the links of few others", () => {
  const sites = someSites(200);
  const before = graphOf(sites.slice(1));
  const changed = [...graphOf(sites)].filter(([site, chosen]) => {
    const old = before.get(site);
    return old !== undefined && [...chosen].some((other) => !old.has(other));
  });
  assert.ok(changed.length <= 8, `${changed.length} sites`);
});
