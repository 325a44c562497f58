/** Presence over the fake network: who is seen, by whom, and for how long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Presence } from "../../daemon/state/presence.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { idOf, sha256, toHex, type MeshId, type SiteId } from "../../protocol/ids.ts";
import { signingKey } from "../../protocol/keys/signature.ts";
import { FakeTime } from "../fakes/clock.ts";
import { FakeNetwork } from "../fakes/transport.ts";

const mesh = idOf<MeshId>(sha256("mesh"));
const keys = [0, 1, 2, 3].map((index) => signingKey(sha256(`presence ${index}`)));
const ids = keys.map((key) => idOf<SiteId>(key.publicKey));

function makeWorld(seed: number) {
  const time = new FakeTime(seed);
  const network = new FakeNetwork({ time, seed });
  const [a, b, c, d] = ids;
  assert.ok(a !== undefined && b !== undefined && c !== undefined && d !== undefined);
  const up = (id: SiteId): Presence => {
    const siteKey = keys[ids.indexOf(id)];
    assert.ok(siteKey !== undefined);
    const presence = new Presence({
      transport: network.join(id),
      clock: time.clock(seed * 1e9),
      log: silentLogger,
      siteKey,
      version: "0.1.0",
      meshId: () => mesh,
      members: () => ids,
      stateDigest: () => toHex(sha256("state")),
    });
    presence.start();
    return presence;
  };
  const states = (presence: Presence): string[] =>
    presence.seen().map(({ siteId, state }) => `${ids.indexOf(siteId)} ${state}`);
  return { time, network, a, b, c, d, up, states };
}

test("a linked member is up and tells of itself; one that never came is unreachable", async () => {
  const { time, a, b, up } = makeWorld(1);
  const [atA, atB] = [up(a), up(b)];
  atB.publish({ zoneSerials: { "hedge.example.": 7 } });
  await time.advance(5_000);
  const [sawB, sawC] = atA.seen();
  assert.equal(sawB?.siteId, b);
  assert.equal(sawB?.state, "up");
  assert.equal(sawB?.version, "0.1.0");
  assert.deepEqual(sawB?.zoneSerials, { "hedge.example.": 7 });
  assert.deepEqual([sawC?.state, sawC?.ageMs, sawC?.bootId], ["unreachable", undefined, undefined]);
  assert.equal(atA.isIsolated(), false);
});

test("a changed fact is told at once, many changes as few words", async () => {
  const { time, a, b, up } = makeWorld(2);
  const [atA, atB] = [up(a), up(b)];
  await time.advance(15_000);
  const serialAtA = (): number | undefined =>
    atA.seen().find(({ siteId }) => siteId === b)?.zoneSerials?.["z."];
  atB.publish({ zoneSerials: { "z.": 1 } });
  await time.until(() => serialAtA() === 1, 2_000);
  for (let serial = 2; serial <= 50; serial++) atB.publish({ zoneSerials: { "z.": serial } });
  await time.until(() => serialAtA() !== 1, 12_000);
  assert.equal(serialAtA(), 50);
});

test("a member without a link to us is up by way of another, while its words echo ours", async () => {
  const { time, network, a, b, c, up, states } = makeWorld(3);
  network.bar(a, c);
  const [atA] = [up(a), up(b), up(c)];
  await time.advance(240_000);
  assert.deepEqual(states(atA), ["1 up", "2 up", "3 unreachable"]);
  network.leave(c);
  await time.advance(180_000);
  assert.deepEqual(states(atA), ["1 up", "2 unreachable", "3 unreachable"]);
});

test("a node that hears nobody says that it is isolated", async () => {
  const { time, network, a, b, up, states } = makeWorld(4);
  const [atA] = [up(a), up(b)];
  await time.advance(60_000);
  network.bar(a, b);
  await time.advance(1_000);
  assert.deepEqual(states(atA), ["1 unreachable", "2 unreachable", "3 unreachable"]);
  assert.equal(atA.isIsolated(), true);
  const ageMs = atA.seen()[0]?.ageMs ?? Infinity;
  assert.ok(ageMs <= 1_000, `${ageMs}`);
});

test("a restart is seen by its boot id, whatever its counter", async () => {
  const { time, network, a, b, up } = makeWorld(5);
  const [atA, atB] = [up(a), up(b)];
  await time.advance(60_000);
  const before = atA.seen()[0]?.bootId;
  atB.stop();
  network.leave(b);
  await time.advance(1_000);
  up(b);
  await time.advance(60_000);
  const after = atA.seen()[0];
  assert.ok(before !== undefined && after?.bootId !== undefined && after.bootId !== before);
  assert.equal(after.state, "up");
});
