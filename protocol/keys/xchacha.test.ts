import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import { fromHex, toHex } from "../ids.ts";
import { decrypt, encrypt } from "./xchacha.ts";

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });

describe("XChaCha20-Poly1305", () => {
  it("gives the vector of the specification", () => {
    // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    const plaintext = Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the " +
        "future, sunscreen would be it.",
    );
    const key = fromHex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    const nonce = fromHex("404142434445464748494a4b4c4d4e4f5051525354555657");
    const associated = fromHex("50515253c0c1c2c3c4c5c6c7");
    const { ciphertext, tag } = encrypt(key, nonce, associated, plaintext);
    assert.equal(toHex(ciphertext).slice(0, 32), "bd6d179d3e83d43b9576579493c0e939");
    assert.equal(toHex(tag), "c0875924c1c7987947deafd8780acf49");
  });

  it("gives the same bytes as another implementation, and opens them", () => {
    fc.assert(
      fc.property(
        bytes(32),
        bytes(24),
        fc.uint8Array({ maxLength: 64 }),
        fc.uint8Array({ maxLength: 5000 }),
        (key, nonce, associated, plaintext) => {
          const { ciphertext, tag } = encrypt(key, nonce, associated, plaintext);
          const sealed = Buffer.concat([ciphertext, tag]);
          const other = xchacha20poly1305(key, nonce, associated).encrypt(plaintext);
          assert.deepEqual(sealed, Buffer.from(other));
          const opened = decrypt(key, nonce, associated, sealed);
          assert.deepEqual(Buffer.from(opened ?? []), Buffer.from(plaintext));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("opens nothing that was changed", () => {
    const all = fc.record({ at: fc.nat(), flip: fc.integer({ min: 1, max: 255 }) });
    const parts = [new Uint8Array(32), new Uint8Array(24), new Uint8Array(9)] as const;
    const { ciphertext, tag } = encrypt(...parts, Buffer.alloc(100, 7));
    fc.assert(
      fc.property(all, fc.integer({ min: 0, max: 3 }), ({ at, flip }, which) => {
        const changed = [...parts.map((part) => Uint8Array.from(part))];
        changed.push(Buffer.concat([ciphertext, tag]));
        const part = changed[which] ?? new Uint8Array(1);
        part[at % part.length] = (part[at % part.length] ?? 0) ^ flip;
        const [key, nonce, associated, sealed] = changed;
        assert.ok(key && nonce && associated && sealed);
        assert.equal(decrypt(key, nonce, associated, sealed), undefined);
      }),
    );
    assert.equal(decrypt(...parts, tag.subarray(1)), undefined);
  });
});
