/**
 * What is derived from the keys of a data set.
 *
 * ```
 * K_set   -- HKDF "pleach/chunk-id/KIND/1" -> K_id, one for each kind of chunk
 *         |- HKDF "pleach/chunk-cut/1"     -> K_cut, the gear table
 *         |- HKDF "pleach/set-name/1"      -> K_names, seals the name of the set
 *         `- HKDF "pleach/shard-index-key/1", salt = shard nonce -> K_index of the shard
 * K_epoch -- HKDF "pleach/shard-key/1", salt = shard nonce -> K_shard
 * ```
 *
 * Source: RFC 5869 with SHA-256, 32 bytes each.
 */
import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { ChunkKind } from "./chunk.ts";
import { CIPHER_NONCE_BYTES, decrypt, encrypt } from "../keys/xchacha.ts";

export const SET_KEY_BYTES = 32;

/** Longer than any label (63), so that the sealed name tells nothing of its length. */
const NAME_BYTES = 64;
const NAME_DOMAIN = Buffer.from("pleach/set-name/1");

/** K_id for chunks of one kind. */
export function chunkIdKey(setKey: Uint8Array, kind: ChunkKind): KeyObject {
  return createSecretKey(derive(setKey, `pleach/chunk-id/${kind}/1`));
}

/** K_cut (32 bytes); no secrecy rests on it. */
export function cutKey(setKey: Uint8Array): Uint8Array {
  return derive(setKey, "pleach/chunk-cut/1");
}

/** K_shard (32 bytes): seals what files and directories hold. */
export function shardKey(epochKey: Uint8Array, shardNonce: Uint8Array): Uint8Array {
  return derive(epochKey, "pleach/shard-key/1", shardNonce);
}

/** K_index (32 bytes): seals what a site without the key of the epoch has to read. */
export function shardIndexKey(setKey: Uint8Array, shardNonce: Uint8Array): Uint8Array {
  return derive(setKey, "pleach/shard-index-key/1", shardNonce);
}

/**
 * The name of a data set as holders see it.
 *
 * @param name - At most 63 bytes of UTF-8.
 * @param nonce - 24 random bytes.
 * @throws RangeError when the name is longer.
 */
export function sealSetName(setKey: Uint8Array, name: string, nonce: Uint8Array): Uint8Array {
  const text = Buffer.from(name);
  if (text.length >= NAME_BYTES) throw new RangeError(`set name of ${text.length} bytes`);
  const plaintext = new Uint8Array(NAME_BYTES);
  plaintext[0] = text.length;
  plaintext.set(text, 1);
  const key = derive(setKey, "pleach/set-name/1");
  const { ciphertext, tag } = encrypt(key, nonce, NAME_DOMAIN, plaintext);
  return Buffer.concat([nonce, ciphertext, tag]);
}

/** The name, or undefined when it was not sealed with this key. */
export function openSetName(setKey: Uint8Array, sealed: Uint8Array): string | undefined {
  const nonce = sealed.subarray(0, CIPHER_NONCE_BYTES);
  if (nonce.length < CIPHER_NONCE_BYTES) return undefined;
  const key = derive(setKey, "pleach/set-name/1");
  const plaintext = decrypt(key, nonce, NAME_DOMAIN, sealed.subarray(CIPHER_NONCE_BYTES));
  if (plaintext?.length !== NAME_BYTES) return undefined;
  const length = plaintext[0] ?? 0;
  return Buffer.from(plaintext.subarray(1, 1 + length)).toString("utf8");
}

function derive(key: Uint8Array, info: string, salt: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (key.length !== SET_KEY_BYTES) throw new RangeError(`key of ${key.length} bytes`);
  return new Uint8Array(hkdfSync("sha256", key, salt, info, SET_KEY_BYTES));
}
