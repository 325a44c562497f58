/**
 * The key pair that secrets for a site are sealed to, derived from the site key.
 *
 * A key of its own: one key for signing and for boxes would tie two schemes to one another. It
 * needs no file, and a box that keeps its site key keeps what was sealed to it.
 */
import { hkdfSync } from "node:crypto";
import nacl from "tweetnacl";
import type { SigningKey } from "./signature.ts";

export interface BoxKeyPair {
  /** 32 bytes each. */
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

export function siteBox(siteKey: SigningKey): BoxKeyPair {
  // PKCS #8 of Ed25519 ends with the seed (RFC 8410 section 7).
  const seed = siteKey.secret.export({ format: "der", type: "pkcs8" }).subarray(-32);
  const secret = hkdfSync("sha256", seed, new Uint8Array(0), "pleach/site-box/1", 32);
  return nacl.box.keyPair.fromSecretKey(new Uint8Array(secret));
}
