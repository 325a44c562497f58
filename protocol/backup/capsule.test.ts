import assert from "node:assert/strict";
import { describe, it } from "node:test";
import nacl from "tweetnacl";
import { openCapsule, sealCapsule } from "./capsule.ts";
import type { OwnerId, SetId } from "../ids.ts";
import { openSetName, sealSetName } from "./set-keys.ts";
import { CAPSULE_BYTES } from "./shard.ts";

const owner = "11".repeat(32) as OwnerId;
const set = "22".repeat(16) as SetId;
const box = nacl.box.keyPair.fromSecretKey(new Uint8Array(32).fill(3));
const keys = { setKey: new Uint8Array(32).fill(4), epochKey: new Uint8Array(32).fill(5) };
const random = Uint8Array.from({ length: 56 }, (_, at) => at);
const subject = { owner, set, keyEpoch: 7 };
const capsule = sealCapsule(box.publicKey, subject, keys, random);

describe("the capsule", () => {
  it("gives the keys to the owner, for its own header", () => {
    assert.equal(capsule.length, CAPSULE_BYTES);
    assert.deepEqual(openCapsule(box.secretKey, { ...subject, capsule }), keys);
  });

  it("opens for no other owner, set or epoch, and with no other key", () => {
    const other = "33".repeat(32) as OwnerId;
    const otherSet = "33".repeat(16) as SetId;
    const header = { ...subject, capsule };
    assert.equal(openCapsule(box.secretKey, { ...header, owner: other }), undefined);
    assert.equal(openCapsule(box.secretKey, { ...header, set: otherSet }), undefined);
    assert.equal(openCapsule(box.secretKey, { ...header, keyEpoch: 8 }), undefined);
    assert.equal(openCapsule(new Uint8Array(32).fill(9), header), undefined);
  });

  it("shows nothing of the keys", () => {
    assert.equal(Buffer.from(capsule).indexOf(Buffer.from(keys.epochKey)), -1);
    assert.equal(Buffer.from(capsule).indexOf(Buffer.from(keys.setKey)), -1);
  });

  it("does not open when any byte was changed", () => {
    for (let at = 0; at < capsule.length; at++) {
      const changed = Uint8Array.from(capsule);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(openCapsule(box.secretKey, { ...subject, capsule: changed }), undefined);
    }
  });
});

describe("the sealed name", () => {
  it("has one length for all names, and opens with the key of the set", () => {
    const nonce = new Uint8Array(24).fill(1);
    const short = sealSetName(keys.setKey, "a", nonce);
    const long = sealSetName(keys.setKey, "n".repeat(63), nonce);
    assert.equal(short.length, long.length);
    assert.equal(openSetName(keys.setKey, short), "a");
    assert.equal(openSetName(keys.setKey, long), "n".repeat(63));
    assert.equal(openSetName(keys.epochKey, short), undefined);
    assert.throws(() => sealSetName(keys.setKey, "n".repeat(64), nonce), RangeError);
  });
});
