/**
 * Seals and opens frames in memory that is used again: the cipher of protocol/keys/xchacha.ts with the
 * same bytes.
 *
 * `node:crypto` gives each result in memory of its own. For frames of a megabyte the kernel has to
 * find and clear that memory each time, which takes longer than to decrypt.
 */
import {
  CIPHER_TAG_BYTES,
  decrypt,
  encryptInto,
  subkeyOf,
  type Decrypt,
  type EncryptInto,
} from "../../../protocol/keys/xchacha.ts";
import { release } from "../../../protocol/backup/frame.ts";
import { ownFunctions } from "./own-functions.ts";

const openssl = ownFunctions({
  create: "void *EVP_CIPHER_CTX_new()",
  chacha: "void *EVP_chacha20_poly1305()",
  init: "int EVP_CipherInit_ex(void *ctx, void *type, void *engine, void *key, void *iv, int enc)",
  update: "int EVP_CipherUpdate(void *ctx, void *out, void *length, void *in, int size)",
  final: "int EVP_CipherFinal_ex(void *ctx, void *out, void *length)",
  control: "int EVP_CIPHER_CTX_ctrl(void *ctx, int type, int argument, void *pointer)",
});
/** evp.h of OpenSSL. */
const [GET_TAG, SET_TAG] = [0x10, 0x11];

/** For one thread. */
export class FrameCipher {
  readonly #context = openssl?.create();
  readonly #type = openssl?.chacha();
  /** Where OpenSSL says how much it wrote. */
  readonly #length = new Int32Array(1);
  #memory: Uint8Array;

  /** @param sizeBytes - The usual length of frames; longer ones take more memory. */
  constructor(sizeBytes: number) {
    this.#memory = new Uint8Array(sizeBytes);
  }

  /** Writes ciphertext and tag over all of `into`. */
  readonly encryptInto: EncryptInto = (key, nonce, associated, plaintext, into) => {
    if (openssl === undefined) return encryptInto(key, nonce, associated, plaintext, into);
    if (into.length !== plaintext.length + CIPHER_TAG_BYTES) throw new RangeError("room");
    const ok =
      this.#begin(key, nonce, associated, 1) &&
      this.#update(into, plaintext) &&
      openssl.final(this.#context, into, this.#length) === 1 &&
      this.#control(GET_TAG, into.subarray(plaintext.length));
    if (!ok) throw new Error("ChaCha20-Poly1305 of OpenSSL failed");
  };

  /** The plaintext is valid until the next call. Nothing of it leaves before the tag is checked. */
  readonly decrypt: Decrypt = (key, nonce, associated, sealed) => {
    if (openssl === undefined) {
      release(this.#memory);
      const plaintext = decrypt(key, nonce, associated, sealed);
      this.#memory = plaintext ?? new Uint8Array(0);
      return plaintext;
    }
    const length = sealed.length - CIPHER_TAG_BYTES;
    if (length < 0) return undefined;
    if (length > this.#memory.length) {
      release(this.#memory);
      this.#memory = new Uint8Array(length);
    }
    const plaintext = this.#memory.subarray(0, length);
    const ok =
      this.#begin(key, nonce, associated, 0) &&
      this.#update(plaintext, sealed.subarray(0, length)) &&
      this.#control(SET_TAG, sealed.subarray(length)) &&
      openssl.final(this.#context, plaintext, this.#length) === 1;
    if (ok) return plaintext;
    plaintext.fill(0);
    return undefined;
  };

  #begin(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, direction: 0 | 1): boolean {
    const { subkey, shortNonce } = subkeyOf(key, nonce);
    const given = [this.#context, this.#type, null, subkey, shortNonce, direction];
    return openssl?.init(...given) === 1 && this.#update(null, associated);
  }

  #update(into: Uint8Array | null, bytes: Uint8Array): boolean {
    // Nothing to do, and no pointer to nothing.
    if (bytes.length === 0) return true;
    const done = openssl?.update(this.#context, into, this.#length, bytes, bytes.length) === 1;
    return done && this.#length[0] === bytes.length;
  }

  #control(what: number, tag: Uint8Array): boolean {
    return openssl?.control(this.#context, what, CIPHER_TAG_BYTES, tag) === 1;
  }
}
