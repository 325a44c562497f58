/** Stands for `protocol/keys/xchacha.ts` with the same lengths, and leaves everything as it is. */
export {
  CIPHER_KEY_BYTES,
  CIPHER_NONCE_BYTES,
  CIPHER_TAG_BYTES,
  subkeyOf,
} from "../../protocol/keys/xchacha.ts";
import type * as real from "../../protocol/keys/xchacha.ts";

const TAG_BYTES = 16;

export const encrypt: typeof real.encrypt = (_key, _nonce, _associated, plaintext) => ({
  ciphertext: Uint8Array.from(plaintext),
  tag: new Uint8Array(TAG_BYTES),
});

export const decrypt: typeof real.decrypt = (_key, _nonce, _associated, sealed) =>
  Uint8Array.from(sealed.subarray(0, sealed.length - TAG_BYTES));

export const encryptInto: typeof real.encryptInto = (
  _key,
  _nonce,
  _associated,
  plaintext,
  into,
) => {
  into.set(plaintext);
  into.fill(0, plaintext.length);
};
