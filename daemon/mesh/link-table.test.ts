import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "@libp2p/interface";
import { idOf, sha256, type SiteId } from "../../protocol/ids.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { earlierStays, LinkTable, type Link } from "./link-table.ts";

const ids = ["x", "y"].map((name) => idOf<SiteId>(sha256(name))).toSorted();
const [low, high] = ids as [SiteId, SiteId];

/** As much of a connection as the table looks at. */
class Wire extends EventTarget {
  readonly streams: unknown[] = [];
  status = "open";
  readonly direction: "inbound" | "outbound";

  constructor(direction: "inbound" | "outbound") {
    super();
    this.direction = direction;
  }

  abort(): void {
    this.status = "aborted";
  }
}

function link(peer: SiteId, wire: Wire, sinceMs: number, instance = "run 1"): Link {
  return { peer, connection: wire as unknown as Connection, sinceMs, instance };
}

test("both sides of a simultaneous dial keep the connection of the lower key", () => {
  for (const lowFirst of [true, false]) {
    const seenBy = (self: SiteId): "low's" | "high's" => {
      const peer = self === low ? high : low;
      const byLow = link(peer, new Wire(self === low ? "outbound" : "inbound"), lowFirst ? 0 : 50);
      const byHigh = link(peer, new Wire(self === low ? "inbound" : "outbound"), lowFirst ? 50 : 0);
      const [earlier, later] = lowFirst ? [byLow, byHigh] : [byHigh, byLow];
      const kept = earlierStays(self, earlier, later) ? earlier : later;
      return kept === byLow ? "low's" : "high's";
    };
    assert.deepEqual([seenBy(low), seenBy(high)], ["low's", "low's"]);
  }
});

test("a later connection, or one of another run, replaces the earlier", () => {
  const earlier = link(high, new Wire("outbound"), 0);
  assert.equal(earlierStays(low, earlier, link(high, new Wire("inbound"), 60_000)), false);
  assert.equal(earlierStays(low, earlier, link(high, new Wire("inbound"), 5, "run 2")), false);
});

test("the connection that loses finishes what it carries, and is then cut", async () => {
  const time = new FakeTime();
  const table = new LinkTable(low, time.clock());
  const told: boolean[] = [];
  table.onLink((_peer, up) => told.push(up));
  const [kept, lost] = [new Wire("outbound"), new Wire("inbound")];
  lost.streams.push("busy");
  table.up(link(high, lost, 0));
  table.up(link(high, kept, 10));
  assert.equal(table.get(high)?.connection, kept as unknown as Connection);
  assert.ok(table.has(lost as unknown as Connection), "still served");
  await time.advance(5_000);
  assert.equal(lost.status, "open");
  lost.streams.length = 0;
  await time.advance(1_000);
  assert.equal(lost.status, "aborted");
  assert.deepEqual(told, [true], "nobody hears of it");
});

test("when the kept connection goes first, the other one takes its place", () => {
  const table = new LinkTable(low, new FakeTime().clock());
  const told: boolean[] = [];
  table.onLink((_peer, up) => told.push(up));
  const [kept, lost] = [new Wire("outbound"), new Wire("inbound")];
  table.up(link(high, lost, 0));
  table.up(link(high, kept, 10));
  table.down(kept as unknown as Connection);
  assert.deepEqual(table.peers(), [high]);
  table.down(lost as unknown as Connection);
  assert.deepEqual([table.peers(), told], [[], [true, false]]);
});
