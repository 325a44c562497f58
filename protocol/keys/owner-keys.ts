/**
 * An owner's keys, all derived from the 32 bytes R that the recovery phrase stands for.
 *
 * R exists on paper and, for a moment, in the command that a person runs; never in the daemon
 * and never on disk. Four independent keys come from it:
 *
 *     R -- HKDF "pleach/owner-sign/1"    -> O, Ed25519: signs OWNER claims and DELEGATE
 *      |-- HKDF "pleach/owner-box/1"     -> B, X25519: keys of backups are sealed to it
 *      |-- HKDF "pleach/owner-recover/1" -> recovery key, Ed25519: the PeerId of a recovering box
 *      `-- HKDF "pleach/mesh-recover/1"  -> Ed25519, named in GENESIS by who founds a mesh: can
 *                                           name new operators when the operators cannot
 *
 * Source: RFC 5869 (HKDF with SHA-256, no salt, the name as info), 32 bytes each.
 */
import { hkdfSync } from "node:crypto";
import nacl from "tweetnacl";
import { idOf, type OwnerId, type PeerKey } from "../ids.ts";
import { ROOT_BYTES } from "./recovery-phrase.ts";
import { signingKey, type SigningKey } from "./signature.ts";

export interface OwnerKeys {
  /** Names the owner for as long as O is not replaced: the public key of {@link OwnerKeys.sign}. */
  readonly ownerId: OwnerId;
  /** O. */
  readonly sign: SigningKey;
  /** B, for `nacl.box`: 32 bytes each. */
  readonly box: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array };
  /** Seed (32 bytes) of the key that a recovering box uses on the network, and for nothing else. */
  readonly recoverySeed: Uint8Array;
  /** Public key of {@link OwnerKeys.recoverySeed}; OWNER names it, so that members let it in. */
  readonly recoveryKey: PeerKey;
  /** Public key that the GENESIS of a mesh names when this owner founds it. */
  readonly meshRecoveryKey: PeerKey;
}

/**
 * @param root - R, 32 bytes from a good source of chance.
 * @throws RangeError when the size is wrong, which is a bug in the caller.
 */
export function deriveOwnerKeys(root: Uint8Array): OwnerKeys {
  if (root.length !== ROOT_BYTES) throw new RangeError(`root of ${root.length} bytes`);
  const sign = signingKey(derive(root, "owner-sign"));
  const box = nacl.box.keyPair.fromSecretKey(derive(root, "owner-box"));
  const recoverySeed = derive(root, "owner-recover");
  return {
    ownerId: idOf<OwnerId>(sign.publicKey),
    sign,
    box: { publicKey: box.publicKey, secretKey: box.secretKey },
    recoverySeed,
    recoveryKey: idOf<PeerKey>(signingKey(recoverySeed).publicKey),
    meshRecoveryKey: idOf<PeerKey>(meshRecoveryKey(root).publicKey),
  };
}

/** The key that signs epochs and votes when the operators cannot. */
export function meshRecoveryKey(root: Uint8Array): SigningKey {
  return signingKey(derive(root, "mesh-recover"));
}

function derive(root: Uint8Array, name: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", root, new Uint8Array(0), `pleach/${name}/1`, 32));
}
