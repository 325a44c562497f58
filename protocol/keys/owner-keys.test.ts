import assert from "node:assert/strict";
import { test } from "node:test";
import nacl from "tweetnacl";
import { deriveOwnerKeys } from "./owner-keys.ts";
import { toHex } from "../ids.ts";

test("derives the same keys for ever", () => {
  const keys = deriveOwnerKeys(new Uint8Array(32).fill(7));
  assert.deepEqual(
    [keys.ownerId, toHex(keys.box.publicKey), toHex(keys.recoverySeed), keys.recoveryKey],
    [
      "161101ba8ba231b2c4eba069cc306e7cb7b4a8c397a7d3fa0f44d806c4e14072",
      "110f953b02ea0d21b7a5396caf6c04d4263a7cf553aa8e6771344d528c7ea031",
      "b517b65efe67c71daacdfce4fa45a110e3971ab71d2f19887673dbb8ccd72f94",
      "8f355a28f7c2fe61f99ae8558758f65e03aa9ea8cec87f1bc62340f9d9aa23d1",
    ],
  );
});

test("gives three keys that share nothing", () => {
  const keys = deriveOwnerKeys(new Uint8Array(32).fill(1));
  const all = [keys.ownerId, keys.recoveryKey, toHex(keys.box.publicKey), toHex(keys.recoverySeed)];
  assert.equal(new Set(all).size, all.length);
});

test("makes a box key that tweetnacl seals to and opens with", () => {
  const { box } = deriveOwnerKeys(new Uint8Array(32).fill(2));
  const sender = nacl.box.keyPair();
  const nonce = new Uint8Array(24);
  const sealed = nacl.box(Uint8Array.of(1, 2), nonce, box.publicKey, sender.secretKey);
  const opened = nacl.box.open(sealed, nonce, sender.publicKey, box.secretKey);
  assert.deepEqual(opened, Uint8Array.of(1, 2));
});

test("refuses a root of another size", () => {
  assert.throws(() => deriveOwnerKeys(new Uint8Array(16)), RangeError);
});
