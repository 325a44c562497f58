/**
 * XChaCha20-Poly1305 with associated data: the one bulk cipher.
 *
 * HChaCha20 makes a subkey of the key and the first 16 bytes of the nonce; the rest is
 * ChaCha20-Poly1305 of `node:crypto`. Nonces are 24 random bytes, never counters: counters roll
 * back with the image of a disk.
 *
 * Source: draft-irtf-cfrg-xchacha-03; RFC 8439.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { hchacha } from "@noble/ciphers/chacha.js";

export const CIPHER_KEY_BYTES = 32;
export const CIPHER_NONCE_BYTES = 24;
export const CIPHER_TAG_BYTES = 16;

/** "expand 32-byte k" as four little-endian words. */
const SIGMA = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);

/** Like {@link encrypt}, over all of `into`, which has room for the tag behind the ciphertext. */
export type EncryptInto = (
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plaintext: Uint8Array,
  into: Uint8Array,
) => void;

/** Like {@link decrypt}. */
export type Decrypt = typeof decrypt;

/** Encrypts. @returns The ciphertext, as long as the plaintext, and the tag of 16 bytes. */
export function encrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plaintext: Uint8Array,
): { readonly ciphertext: Uint8Array; readonly tag: Uint8Array } {
  const { subkey, shortNonce } = subkeyOf(key, nonce);
  const options = { authTagLength: CIPHER_TAG_BYTES };
  const cipher = createCipheriv("chacha20-poly1305", subkey, shortNonce, options);
  cipher.setAAD(associated, { plaintextLength: plaintext.length });
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return { ciphertext, tag: cipher.getAuthTag() };
}

export const encryptInto: EncryptInto = (key, nonce, associated, plaintext, into) => {
  const { ciphertext, tag } = encrypt(key, nonce, associated, plaintext);
  into.set(ciphertext);
  into.set(tag, ciphertext.length);
};

/**
 * Decrypts. Nothing of the plaintext leaves before the tag is checked.
 *
 * @param sealed - Ciphertext and tag in one.
 * @returns The plaintext, or undefined when key, nonce, associated data or bytes do not fit.
 */
export function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < CIPHER_TAG_BYTES) return undefined;
  const { subkey, shortNonce } = subkeyOf(key, nonce);
  const options = { authTagLength: CIPHER_TAG_BYTES };
  const decipher = createDecipheriv("chacha20-poly1305", subkey, shortNonce, options);
  const end = sealed.length - CIPHER_TAG_BYTES;
  decipher.setAuthTag(sealed.subarray(end));
  decipher.setAAD(associated, { plaintextLength: end });
  const plaintext = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plaintext;
}

/**
 * The key and the nonce of ChaCha20-Poly1305 that stand for these of XChaCha20-Poly1305.
 *
 * @throws RangeError when one of them has another length.
 */
export function subkeyOf(
  key: Uint8Array,
  nonce: Uint8Array,
): { readonly subkey: Uint8Array; readonly shortNonce: Uint8Array } {
  if (key.length !== CIPHER_KEY_BYTES || nonce.length !== CIPHER_NONCE_BYTES) {
    throw new RangeError(`key of ${key.length}, nonce of ${nonce.length} bytes`);
  }
  const words = new Uint32Array(8);
  hchacha(SIGMA, littleEndian(key), littleEndian(nonce.subarray(0, 16)), words);
  const subkey = new Uint8Array(CIPHER_KEY_BYTES);
  const view = new DataView(subkey.buffer);
  words.forEach((word, at) => view.setUint32(at * 4, word, true));
  const shortNonce = new Uint8Array(12);
  shortNonce.set(nonce.subarray(16), 4);
  return { subkey, shortNonce };
}

function littleEndian(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, at) => view.getUint32(at * 4, true));
}
