import assert from "node:assert/strict";
import { test } from "node:test";
import { siteIdOf, testKey, TestMembership } from "../../test-mesh/network/mesh-world.ts";
import { admissionOf } from "./membership.ts";
import { libp2pKeyOf, memberAddress, namedAddress, peerIdOf, peerKeyOf } from "./peer-id.ts";

const key = testKey("peer");
const site = siteIdOf(key);
const RSA_PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

test("a key goes to a PeerId and back, and the private half fits", () => {
  assert.equal(peerKeyOf(peerIdOf(site)), site);
  assert.deepEqual(libp2pKeyOf(key).publicKey.raw, key.publicKey);
});

test("a member's address is completed, and must not name another peer", () => {
  const named = `/ip4/192.0.2.1/tcp/4901/p2p/${peerIdOf(site).toString()}`;
  assert.equal(memberAddress("/ip4/192.0.2.1/tcp/4901", site)?.toString(), named);
  assert.equal(memberAddress(named, site)?.toString(), named);
  assert.equal(memberAddress(named, siteIdOf(testKey("other"))), undefined);
  assert.equal(memberAddress(`/ip4/192.0.2.1/tcp/4901/p2p/${RSA_PEER}`, site), undefined);
  assert.equal(memberAddress("192.0.2.1:4901", site), undefined);
});

test("an address for an outsider must name its peer", () => {
  const named = `/ip4/192.0.2.1/tcp/4901/p2p/${peerIdOf(site).toString()}`;
  assert.equal(namedAddress(named).key, site);
  for (const text of [
    "/ip4/192.0.2.1/tcp/4901",
    "nonsense",
    `/ip4/192.0.2.1/tcp/1/p2p/${RSA_PEER}`,
  ]) {
    assert.throws(() => namedAddress(text), { code: "E-MESH-ADDRESS" }, text);
  }
});

test("membership comes first, a recovery key never joins, a former member hears why, and others join while it is open", () => {
  const membership = new TestMembership();
  assert.equal(admissionOf(membership, site), "refused");
  membership.open = true;
  assert.equal(admissionOf(membership, site), "joiner");
  membership.former.add(site);
  assert.equal(admissionOf(membership, site), "former");
  membership.recoveryKeys.add(site);
  assert.equal(admissionOf(membership, site), "recovery");
  membership.members.add(site);
  assert.equal(admissionOf(membership, site), "member");
});
