import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type SiteId } from "../../protocol/ids.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { silentLogger } from "../observe/log.ts";
import { neighboursOf } from "../core/logs/overlay.ts";
import { addressesOf, Dialer, waitMs } from "./dialer.ts";

const [self, peer] = [idOf<SiteId>(sha256("self")), idOf<SiteId>(sha256("peer"))];

test("waits grow to 8 s, among many sites to 5 min, and differ by chance", () => {
  assert.deepEqual(
    [1, 2, 3, 4, 50].map((attempt) => waitMs(attempt, 5, 1)),
    [1e3, 2e3, 4e3, 8e3, 8e3],
  );
  assert.equal(waitMs(50, 51, 1), 300_000);
  assert.equal(waitMs(1, 5, 0), 500);
});

test("a try takes three addresses, and every address has its turn", () => {
  const all = ["1", "2", "3", "4", "5"];
  assert.deepEqual(addressesOf(["1", "2"], 7), ["1", "2"]);
  const seen = new Set([0, 1, 2].flatMap((attempt) => addressesOf(all, attempt)));
  assert.deepEqual(addressesOf(all, 0), ["1", "2", "3"]);
  assert.equal(seen.size, 5);
});

function world(answers: () => boolean) {
  const time = new FakeTime();
  const tries: { atMs: number; addresses: readonly string[] }[] = [];
  let linked = false;
  const dialer = new Dialer(self, time.clock(), silentLogger, {
    isLinked: () => linked,
    dial: async (_site, addresses) => {
      tries.push({ atMs: time.nowMs, addresses });
      if (!answers()) throw new Error("away");
      linked = true;
      dialer.linkChanged(peer, true);
    },
  });
  const lose = (): void => {
    linked = false;
    dialer.linkChanged(peer, false);
  };
  return { time, dialer, tries, lose };
}

test("it tries until the member answers, and anew when the link is lost", async () => {
  let there = false;
  const { time, dialer, tries, lose } = world(() => there);
  dialer.setRoster([
    { siteId: self, addresses: ["own"] },
    { siteId: peer, addresses: ["/a"] },
  ]);
  await time.advance(60 * 60_000);
  const inAnHour = tries.length;
  assert.ok(inAnHour > (60 * 60) / 8 && inAnHour < (60 * 60) / 3, `${inAnHour} tries`);
  there = true;
  await time.advance(10_000);
  const whenLinked = tries.length;
  await time.advance(60_000);
  assert.equal(tries.length, whenLinked, "a linked member is left alone");
  lose();
  await time.advance(1_000);
  assert.equal(tries.length, whenLinked + 1);
});

test("a changed address is tried at once, and a site off the roster no more", async () => {
  const { time, dialer, tries } = world(() => false);
  dialer.setRoster([{ siteId: peer, addresses: ["/a"] }]);
  await time.advance(120_000);
  const before = tries.length;
  const changedMs = time.nowMs;
  dialer.setRoster([{ siteId: peer, addresses: ["/b"] }]);
  await time.advance(500);
  assert.deepEqual(
    tries.slice(before).map((each) => each.addresses),
    [["/b"]],
  );
  assert.ok((tries.at(-1)?.atMs ?? 0) - changedMs <= 500);
  dialer.setRoster([]);
  const after = tries.length;
  await time.advance(120_000);
  assert.equal(tries.length, after);
});

test("in a large mesh few are dialled, and who stays away is replaced until it is back", async () => {
  const sites = Array.from({ length: 200 }, (_, index) => idOf<SiteId>(sha256(`site ${index}`)));
  const entry = (siteId: SiteId) => ({ siteId, addresses: ["/a"] });
  const time = new FakeTime();
  const up = new Set<SiteId>();
  const tried = new Set<SiteId>();
  const neighbours = neighboursOf(self, sites);
  const [absent, partner] = [[...neighbours][0], sites.find((site) => !neighbours.has(site))];
  assert.ok(absent !== undefined && partner !== undefined);
  const dialer = new Dialer(self, time.clock(), silentLogger, {
    isLinked: (site) => up.has(site),
    dial: async (site) => {
      tried.add(site);
      if (site === absent) throw new Error("away");
      up.add(site);
      dialer.linkChanged(site, true);
    },
  });
  dialer.setRoster(sites.map((site) => ({ ...entry(site), isPartner: site === partner })));
  await time.advance(10_000);
  assert.deepEqual([...tried].toSorted(), [...neighbours, partner].toSorted());
  await time.advance(120_000);
  const instead = [...tried].filter((site) => !neighbours.has(site) && site !== partner);
  assert.ok(instead.length >= 1 && instead.length <= 8, `${instead.length} more`);
  tried.clear();
  await time.advance(3_600_000);
  assert.deepEqual([...tried], [absent], "nobody else is tried, and it is tried again and again");
});

test("a site of a large mesh that reaches nobody does not end with trying everybody", async () => {
  const sites = Array.from({ length: 200 }, (_, index) => idOf<SiteId>(sha256(`site ${index}`)));
  const time = new FakeTime();
  const tried = new Set<SiteId>();
  const dialer = new Dialer(self, time.clock(), silentLogger, {
    isLinked: () => false,
    dial: (site) => {
      tried.add(site);
      return Promise.reject(new Error("away"));
    },
  });
  dialer.setRoster(sites.map((siteId) => ({ siteId, addresses: ["/a"] })));
  await time.advance(3_600_000);
  assert.ok(tried.size > 8 && tried.size <= 40, `${tried.size} sites`);
});
