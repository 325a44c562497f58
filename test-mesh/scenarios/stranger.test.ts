/**
 * What somebody who is no member gets from a node: nothing, or the one protocol that is open.
 *
 * The peer here has a valid Noise key and is otherwise free to do as it likes. Every protocol that
 * a node has registered, as the node itself tells a member, is tried both ways.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Channel } from "../../daemon/core/transport.ts";
import type { Mesh } from "../../daemon/mesh/mesh.ts";
import type { PeerKey } from "../../protocol/ids.ts";
import {
  linkAll,
  siteIdOf,
  startMembers,
  startTestMesh,
  TestMembership,
  testKey,
  until,
} from "../network/mesh-world.ts";
import { RawPeer } from "../network/raw-peer.ts";

const JOIN = "/pleach/join/1";
const RECOVER = "/pleach/recover/1";
const PLEACH_PROTOCOLS = ["/pleach/state/1", "/pleach/presence/1", "/pleach/shard/1"] as const;
/** What libp2p would offer under its own names. */
const PUBLIC_PROTOCOLS = [
  "/ipfs/id/1.0.0",
  "/ipfs/id/push/1.0.0",
  "/ipfs/ping/1.0.0",
  "/ipfs/kad/1.0.0",
  "/libp2p/circuit/relay/0.2.0/hop",
  "/libp2p/dcutr",
];

let node: Mesh;
let other: Mesh;
let membership: TestMembership;
let stranger: RawPeer;
let address = "";
let everything: readonly string[] = [];
const callers: string[] = [];

async function note(channel: Channel<PeerKey>): Promise<void> {
  callers.push(channel.peer);
  const frame = await channel.receive(5_000);
  if (frame !== undefined) await channel.send(frame);
}

before(async () => {
  const names = ["node", "other", "bad member"];
  const world = await startMembers(names.slice(0, 2), { dht: true });
  membership = world.membership;
  membership.members.add(siteIdOf(testKey("bad member")));
  const [first, second] = world.meshes;
  assert.ok(first !== undefined && second !== undefined);
  [node, other] = [first, second];
  for (const mesh of world.meshes) {
    for (const protocol of PLEACH_PROTOCOLS) mesh.handle(protocol, note);
    mesh.handleOutsider(JOIN, note);
    mesh.handleOutsider(RECOVER, note);
  }
  await linkAll(world.meshes);
  address = node.addresses()[0] ?? "";
  const member = await RawPeer.start("bad member");
  const registered = await member.protocolsOf(await member.dial(address));
  await member.stop();
  // So that the test cannot pass by asking for nothing.
  for (const needed of ["/pleach/hello/1", "/pleach/id/1.0.0", "/pleach/ping/1.0.0"]) {
    assert.ok(registered.includes(needed), needed);
  }
  for (const needed of ["/pleach/kad/1", JOIN, ...PLEACH_PROTOCOLS]) {
    assert.ok(registered.includes(needed), needed);
  }
  everything = [...new Set([...registered, RECOVER, ...PUBLIC_PROTOCOLS])];
  stranger = await RawPeer.start("stranger");
  await stranger.offer(everything);
});

after(async () => {
  await Promise.all([node?.stop(), other?.stop(), stranger?.stop()]);
});

test("with no open invitation a stranger is cut before any protocol", async () => {
  membership.open = false;
  assert.deepEqual(await stranger.gets(address, everything), []);
  const connection = await stranger.dial(address).catch(() => undefined);
  if (connection !== undefined) await until(() => connection.status !== "open", 2_000);
  assert.deepEqual(stranger.opened, [], "and the node opened nothing to it");
});

test("with an open invitation a stranger gets the join protocol and no other", async () => {
  membership.open = true;
  assert.deepEqual(await stranger.gets(address, everything), [JOIN]);
  const connection = await stranger.dial(address);
  for (const protocol of everything) {
    const expected = protocol === JOIN;
    assert.equal(await stranger.speaks(connection, protocol), expected, `${protocol} on one link`);
  }
  await assert.rejects(stranger.protocolsOf(connection), "identify stays silent");
  await assert.rejects(node.open(siteIdOf(testKey("stranger")), "/pleach/state/1", 1_000));
  assert.deepEqual(stranger.opened, [], "the node opened nothing to it");
  assert.deepEqual(node.links(), [other.self]);
  connection.abort(new Error("done"));
});

test("the invitation closes while the stranger is connected", async () => {
  membership.open = true;
  const connection = await stranger.dial(address);
  assert.equal(await stranger.speaks(connection, JOIN), true);
  membership.open = false;
  assert.equal(await stranger.speaks(connection, JOIN), false);
  connection.abort(new Error("done"));
});

test("the recovery key gets the recovery protocol only, with and without an invitation", async () => {
  const key = siteIdOf(testKey("recovery"));
  membership.recoveryKeys.add(key);
  const box = await RawPeer.start("recovery");
  try {
    await box.offer(everything);
    for (const open of [false, true]) {
      membership.open = open;
      assert.deepEqual(await box.gets(address, everything), [RECOVER]);
    }
    membership.recoveryKeys.delete(key);
    membership.open = false;
    assert.deepEqual(await box.gets(address, everything), []);
    assert.deepEqual(box.opened, []);
  } finally {
    await box.stop();
  }
});

test("a channel of an applicant carries frames both ways", async () => {
  membership.open = true;
  const applicant = await startTestMesh("applicant");
  try {
    const channel = await applicant.openOutsider(address, JOIN, 5_000);
    assert.equal(channel.peer, node.self);
    await channel.send(Uint8Array.of(1, 2, 3));
    assert.deepEqual(await channel.receive(5_000), Uint8Array.of(1, 2, 3));
    await channel.end();
    assert.equal(await channel.receive(5_000), undefined);
    assert.ok(callers.includes(applicant.self));
    assert.deepEqual([applicant.links(), node.links()], [[], [other.self]]);
    membership.open = false;
    await assert.rejects(applicant.openOutsider(address, JOIN, 5_000));
    await assert.rejects(applicant.openOutsider(address, RECOVER, 5_000));
  } finally {
    await applicant.stop();
  }
});

test("whoever we dial for its join protocol gets no other protocol out of us", async () => {
  const applicant = await startTestMesh("curious applicant");
  for (const protocol of PLEACH_PROTOCOLS) applicant.handle(protocol, note);
  applicant.handleOutsider(JOIN, note);
  applicant.handleOutsider(RECOVER, note);
  stranger.opened.length = 0;
  try {
    const channel = await applicant.openOutsider(stranger.address(), JOIN, 5_000);
    const [connection] = stranger.node.getConnections();
    assert.ok(connection !== undefined);
    for (const protocol of everything) {
      assert.equal(await stranger.speaks(connection, protocol), false, protocol);
    }
    assert.deepEqual(stranger.opened, [JOIN]);
    channel.abort("done");
  } finally {
    await applicant.stop();
  }
});

test("a node in no mesh lets nobody in", async () => {
  const empty = await startTestMesh("empty", { dht: true });
  try {
    assert.deepEqual(await stranger.gets(empty.addresses()[0] ?? "", everything), []);
  } finally {
    await empty.stop();
  }
});

test("a member of another mesh under a known key is no link", async () => {
  const foreign = new TestMembership();
  foreign.mesh = siteIdOf(testKey("another mesh")) as unknown as typeof foreign.mesh;
  foreign.members.add(node.self);
  const mesh = await startTestMesh("bad member", { membership: foreign });
  try {
    mesh.setRoster([{ siteId: node.self, addresses: [address] }]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.deepEqual([mesh.links(), node.links()], [[], [other.self]]);
  } finally {
    await mesh.stop();
  }
});

test("a member that is revoked is cut at once, and stays out", async () => {
  assert.deepEqual(node.links(), [other.self]);
  membership.members.delete(other.self);
  node.membershipChanged();
  await until(() => node.links().length === 0 && other.links().length === 0, 2_000);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.deepEqual(node.links(), []);
  membership.members.add(other.self);
  node.membershipChanged();
  await until(() => node.links().length === 1, 10_000);
});
