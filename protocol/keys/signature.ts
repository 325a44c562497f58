/**
 * Ed25519 signatures with a domain before the signed bytes.
 *
 * One verifier everywhere (`node:crypto`): libraries disagree about malleated signatures, and two
 * verifiers would be two truths. Source: RFC 8032; Chalkias et al.: Taming the many EdDSAs, 2020.
 */
import {
  createPrivateKey,
  createPublicKey,
  sign as signBytes,
  verify as verifyBytes,
  type KeyObject,
} from "node:crypto";
import { fromHex, toHex } from "../ids.ts";

/** Names what is signed, so that a signature for one kind of thing is none for another. */
export type SignatureDomain = `pleach/${string}/${number}`;

const PKCS8_PREFIX = fromHex("302e020100300506032b657004220420");
const SPKI_PREFIX = fromHex("302a300506032b6570032100");

/** A signing key pair. The secret half stays inside `node:crypto`. */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly secret: KeyObject;
}

/**
 * The key pair of a 32-byte seed (RFC 8032 section 5.1.5).
 *
 * @throws RangeError when the seed has another size, which is a bug in the caller.
 */
export function signingKey(seed: Uint8Array): SigningKey {
  if (seed.length !== 32) throw new RangeError(`seed of ${seed.length} bytes`);
  const secret = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  return { publicKey: Uint8Array.from(spki.subarray(SPKI_PREFIX.length)), secret };
}

/** The signature (64 bytes) over `domain`, a zero byte and the bytes. */
export function sign(key: SigningKey, domain: SignatureDomain, bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(signBytes(null, message(domain, bytes), key.secret));
}

/** False for a wrong signature and for a key that {@link isSoundPublicKey} refuses. */
export function verify(
  publicKey: Uint8Array,
  domain: SignatureDomain,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== 64 || !isSoundPublicKey(publicKey)) return false;
  return verifyBytes(null, message(domain, bytes), importKey(publicKey), signature);
}

function message(domain: SignatureDomain, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${domain}\0`), bytes]);
}

/** Importing costs as much as a tenth of a verification; a mesh has few keys. */
const imported = new Map<string, KeyObject>();
const MAX_IMPORTED = 1024;

function importKey(publicKey: Uint8Array): KeyObject {
  const name = toHex(publicKey);
  const known = imported.get(name);
  if (known !== undefined) return known;
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, publicKey]),
    format: "der",
    type: "spki",
  });
  if (imported.size >= MAX_IMPORTED) imported.clear();
  imported.set(name, key);
  return key;
}

/** The prime 2^255 - 19 as it stands in an encoded point: little-endian, sign bit clear. */
const FIELD_PRIME = (1n << 255n) - 19n;

/**
 * The y coordinates of the eight points of small order; whoever holds such a "key" can make
 * signatures that verify for any message.
 */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);

/** Whether 32 bytes are a canonical encoding of a point that is not of small order. */
export function isSoundPublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false;
  const littleEndian = Uint8Array.from(publicKey).reverse();
  littleEndian[0] = (littleEndian[0] ?? 0) & 0x7f;
  const y = BigInt(`0x${toHex(littleEndian)}`);
  return y < FIELD_PRIME && !SMALL_ORDER_Y.has(y);
}
