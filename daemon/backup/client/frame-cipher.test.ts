import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { CIPHER_TAG_BYTES, decrypt, encrypt } from "../../../protocol/keys/xchacha.ts";
import { FrameCipher } from "./frame-cipher.ts";

const key = randomBytes(32);
const nonce = randomBytes(24);
const associated = randomBytes(305);
const LENGTHS = [0, 1, 64, 1000, 5000, 100_000, 3];

describe("a cipher that is used again", () => {
  const cipher = new FrameCipher(1000);

  it("seals what protocol/keys/xchacha.ts seals, into shared memory as well", () => {
    for (const length of LENGTHS) {
      const plaintext = randomBytes(length);
      const memory = new Uint8Array(new SharedArrayBuffer(length + CIPHER_TAG_BYTES + 20));
      const into = memory.subarray(10, 10 + length + CIPHER_TAG_BYTES);
      cipher.encryptInto(key, nonce, associated, plaintext, into);
      const { ciphertext, tag } = encrypt(key, nonce, associated, plaintext);
      assert.deepEqual(Buffer.from(into), Buffer.concat([ciphertext, tag]));
      assert.ok(memory.subarray(0, 10).every((byte) => byte === 0));
      assert.ok(memory.subarray(10 + into.length).every((byte) => byte === 0));
    }
    assert.throws(() =>
      cipher.encryptInto(key, nonce, associated, new Uint8Array(5), new Uint8Array(20)),
    );
  });

  it("opens what protocol/keys/xchacha.ts opens, and nothing else", () => {
    for (const length of LENGTHS) {
      const plaintext = randomBytes(length);
      const { ciphertext, tag } = encrypt(key, nonce, associated, plaintext);
      const sealed = Buffer.concat([ciphertext, tag]);
      const opened = cipher.decrypt(key, nonce, associated, sealed);
      assert.deepEqual(Buffer.from(opened ?? [1]), plaintext);
      for (let at = 0; at < sealed.length; at += Math.ceil(sealed.length / 40)) {
        const mutated = Uint8Array.from(sealed);
        mutated[at] = (mutated[at] ?? 0) ^ 1;
        assert.equal(cipher.decrypt(key, nonce, associated, mutated), undefined);
        assert.equal(decrypt(key, nonce, associated, mutated), undefined);
      }
      assert.equal(cipher.decrypt(randomBytes(32), nonce, associated, sealed), undefined);
      assert.equal(cipher.decrypt(key, randomBytes(24), associated, sealed), undefined);
      assert.equal(cipher.decrypt(key, nonce, randomBytes(305), sealed), undefined);
      assert.equal(cipher.decrypt(key, nonce, associated, sealed.subarray(0, 15)), undefined);
    }
  });
});
