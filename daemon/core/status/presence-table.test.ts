import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, toHex, type MeshId, type SiteId } from "../../../protocol/ids.ts";
import { echoPrefix, type Echo, type Presence } from "../../../protocol/logs/presence.ts";
import { PresenceTable } from "./presence-table.ts";

const site = (name: string): SiteId => idOf<SiteId>(sha256(name));
const [self, near, far] = [site("self"), site("near"), site("far")];
const frame = new Uint8Array(1);

function word(from: SiteId, counter: number, heard: readonly Echo[] = [], boot = "boot"): Presence {
  return {
    mesh: idOf<MeshId>(sha256("mesh")),
    site: from,
    bootId: toHex(sha256(boot).subarray(0, 16)),
    counter,
    heard,
    stateDigest: toHex(sha256("state")),
    version: "0.1.0",
  };
}

function echo(of: SiteId, counter: number, direct = true): Echo {
  return { sitePrefix: echoPrefix(of), counter, direct };
}

function stateOfFar(table: PresenceTable, nowMs: number): string | undefined {
  return table.seen([self, far], nowMs)[0]?.state;
}

test("a relayed word is life only with an echo of what we sent in the last five minutes", () => {
  const table = new PresenceTable(self);
  table.link(near, true, 0);
  table.noteSent(100, 0);
  table.hear(word(far, 1), frame, near, 1_000);
  assert.equal(stateOfFar(table, 1_000), "unreachable", "no echo");
  table.hear(word(far, 2, [echo(self, 99)]), frame, near, 2_000);
  assert.equal(stateOfFar(table, 2_000), "unreachable", "a counter that we never sent");
  table.hear(word(far, 3, [echo(self, 100)]), frame, near, 3_000);
  assert.equal(stateOfFar(table, 3_000), "up");
  assert.equal(stateOfFar(table, 124_000), "unreachable", "nothing since");
  table.hear(word(far, 4, [echo(self, 100)]), frame, near, 301_000);
  assert.equal(stateOfFar(table, 301_000), "unreachable", "the echo is too old");
});

test("a word that somebody kept from an earlier boot changes nothing", () => {
  const table = new PresenceTable(self);
  table.link(near, true, 0);
  table.noteSent(100, 0);
  assert.equal(table.hear(word(far, 5, [echo(self, 100)]), frame, near, 1_000), true);
  assert.equal(table.hear(word(far, 900, [], "earlier boot"), frame, near, 2_000), false);
  assert.equal(table.hear(word(far, 5, [echo(self, 100)]), frame, near, 3_000), false, "again");
  assert.equal(table.seen([far], 3_000)[0]?.word?.counter, 5);
});

test("nothing is passed on to a peer that hears the member itself", () => {
  const table = new PresenceTable(self);
  table.link(near, true, 0);
  table.link(far, true, 0);
  table.hear(word(far, 1), frame, far, 0);
  assert.deepEqual(table.framesFor(near), [], "nothing is known of whom near hears");
  table.hear(word(near, 1, [echo(far, 1, false)]), frame, near, 0);
  assert.deepEqual(table.framesFor(near), [frame], "near hears far only by way of others");
  table.hear(word(near, 2, [echo(far, 1, true)]), frame, near, 0);
  assert.deepEqual(table.framesFor(near), []);
});

test("our own words, and words about a linked member from others, are not taken", () => {
  const table = new PresenceTable(self);
  table.link(near, true, 0);
  table.link(far, true, 0);
  assert.equal(table.hear(word(self, 1), frame, near, 0), false);
  assert.equal(table.hear(word(far, 1), frame, near, 0), false);
  assert.equal(table.hear(word(far, 1), frame, far, 0), true);
});

test("a site that left is forgotten", () => {
  const table = new PresenceTable(self);
  table.link(near, true, 0);
  table.hear(word(far, 1), frame, near, 0);
  table.keep([self, near]);
  assert.equal(table.seen([far], 0)[0]?.word, undefined);
});
