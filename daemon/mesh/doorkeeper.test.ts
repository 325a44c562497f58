import assert from "node:assert/strict";
import { test } from "node:test";
import type { MultiaddrConnection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { siteIdOf, TestMembership, testKey } from "../../test-mesh/network/mesh-world.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { peerIdOf } from "./peer-id.ts";

const idOfPeer = (name: string) => peerIdOf(siteIdOf(testKey(name)));

/** As much of a socket as the doorkeeper looks at. */
class Caller extends EventTarget {
  readonly remoteAddr;
  aborted = false;

  constructor(host: string) {
    super();
    this.remoteAddr = multiaddr(`${host.includes(":") ? "/ip6" : "/ip4"}/${host}/tcp/1000`);
  }

  abort(): void {
    this.aborted = true;
    this.dispatchEvent(new Event("close"));
  }

  get raw(): MultiaddrConnection {
    return this as unknown as MultiaddrConnection;
  }
}

function world() {
  const time = new FakeTime();
  const membership = new TestMembership();
  const door = new Doorkeeper(time.clock(), membership);
  door.expectFrom([multiaddr("/ip4/192.0.2.1/tcp/4901")]);
  const knock = (host: string): Caller | undefined => {
    const caller = new Caller(host);
    return door.denyInboundConnection(caller.raw) ? undefined : caller;
  };
  return { time, membership, door, knock };
}

/** Many addresses call and say nothing, as fast as they like. */
async function flood({ time, knock }: ReturnType<typeof world>, calls: number): Promise<Caller[]> {
  const inside: Caller[] = [];
  for (let call = 0; call < calls; call++) {
    const caller = knock(`198.51.${100 + (call % 50)}.${call % 250}`);
    if (caller !== undefined) inside.push(caller);
    if (call % 20 === 0) await time.advance(50);
  }
  return inside;
}

test("a flood of strangers is bounded, and keeps no member out", async () => {
  const made = world();
  const inside = await flood(made, 10_000);
  const waiting = inside.filter((caller) => !caller.aborted);
  assert.ok(waiting.length <= 64, `${waiting.length} wait`);
  assert.ok(inside.length < 10_000 / 10, `${inside.length} were listened to`);
  const members = Array.from({ length: 30 }, () => made.knock("192.0.2.1"));
  assert.ok(members.every((caller) => caller !== undefined && !caller.aborted));
  await flood(made, 1_000);
  assert.ok(
    members.every((caller) => caller?.aborted === false),
    "not for later ones either",
  );
});

test("a member that calls from a new address gets in between slow strangers", async () => {
  const made = world();
  made.membership.members.add(siteIdOf(testKey("member")));
  await flood(made, 1_000);
  await made.time.advance(1_000);
  const caller = made.knock("203.0.113.5");
  assert.ok(caller !== undefined);
  assert.equal(made.door.denyInboundEncryptedConnection(idOfPeer("member"), caller.raw), false);
  await flood(made, 1_000);
  assert.equal(caller.aborted, false, "who has proven a member's key stays");
});

test("one address, or one IPv6 /64, has few places", () => {
  const { knock } = world();
  const callers = Array.from({ length: 20 }, (_, i) => knock(`2001:db8::${(i + 1).toString(16)}`));
  assert.equal(callers.filter((caller) => caller !== undefined).length, 8);
  assert.ok(knock("2001:db8:0:1::1") !== undefined, "the next network has its own");
});

test("outsiders have a number of places in all and for each key", () => {
  const { membership, door, knock } = world();
  membership.open = true;
  let places = 0;
  for (let index = 0; index < 20; index++) {
    const caller = knock(`198.51.100.${index}`);
    assert.ok(caller !== undefined);
    if (!door.denyInboundEncryptedConnection(idOfPeer(`joiner ${index}`), caller.raw)) places++;
  }
  assert.equal(places, 16);
  membership.recoveryKeys.add(siteIdOf(testKey("recovery")));
  const denied = [1, 2, 3].map((index) => {
    const caller = knock(`198.51.101.${index}`);
    assert.ok(caller !== undefined);
    return door.denyInboundEncryptedConnection(idOfPeer("recovery"), caller.raw);
  });
  assert.deepEqual(denied, [false, false, true], "with places of its own, two for a key");
});

test("only members are dialled, and whom we want in this moment", async () => {
  const { membership, door } = world();
  membership.members.add(siteIdOf(testKey("member")));
  assert.equal(door.denyDialPeer(idOfPeer("member")), false);
  assert.equal(door.denyDialPeer(idOfPeer("somebody")), true);
  await door.wanting(siteIdOf(testKey("somebody")), async () => {
    assert.equal(door.denyDialPeer(idOfPeer("somebody")), false);
  });
  assert.equal(door.denyDialPeer(idOfPeer("somebody")), true);
});
