/**
 * The capsule: the keys of a data set and of one key epoch, sealed to the owner's box key B.
 *
 * Every shard carries it in its clear header, so the recovery phrase opens any shard with nothing
 * else at hand. `nacl.box` knows no associated data; therefore owner, set and epoch stand inside
 * and are compared when it is opened.
 *
 * ```
 *   0   32  ephemeral public key
 *  32   24  nonce
 *  56  136  box: version 1 | zero x 3 | key epoch, uint32 BE | owner | set | K_set | K_epoch
 * ```
 */
import nacl from "tweetnacl";
import { idBytes, type OwnerId, type SetId } from "../ids.ts";
import { CAPSULE_BYTES, type ShardHeader } from "./shard.ts";

const VERSION = 1;
/** 4 + 4 + 32 + 16 + 32 + 32. */
const SEALED_BYTES = 120;

export interface CapsuleKeys {
  /** K_set, 32 bytes. */
  readonly setKey: Uint8Array;
  /** K_epoch, 32 bytes. */
  readonly epochKey: Uint8Array;
}

export interface CapsuleSubject {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly keyEpoch: number;
}

/**
 * @param boxPublicKey - B, 32 bytes.
 * @param random - 56 random bytes, used for nothing else: ephemeral secret and nonce.
 * @returns 192 bytes.
 */
export function sealCapsule(
  boxPublicKey: Uint8Array,
  subject: CapsuleSubject,
  keys: CapsuleKeys,
  random: Uint8Array,
): Uint8Array {
  if (random.length !== 56) throw new RangeError(`${random.length} random bytes`);
  const plaintext = new Uint8Array(SEALED_BYTES);
  plaintext[0] = VERSION;
  new DataView(plaintext.buffer).setUint32(4, subject.keyEpoch);
  plaintext.set(idBytes(subject.owner), 8);
  plaintext.set(idBytes(subject.set), 40);
  plaintext.set(keys.setKey, 56);
  plaintext.set(keys.epochKey, 88);
  const ephemeral = nacl.box.keyPair.fromSecretKey(random.subarray(0, 32));
  const nonce = random.subarray(32);
  const box = nacl.box(plaintext, nonce, boxPublicKey, ephemeral.secretKey);
  // Nobody can look into it again without the phrase: it is opened from this side before it counts.
  const again = nacl.box.open(box, nonce, boxPublicKey, ephemeral.secretKey);
  if (again === null || Buffer.compare(again, plaintext) !== 0) throw new RangeError("capsule");
  plaintext.fill(0);
  ephemeral.secretKey.fill(0);
  const capsule = new Uint8Array(CAPSULE_BYTES);
  capsule.set(ephemeral.publicKey);
  capsule.set(nonce, 32);
  capsule.set(box, 56);
  return capsule;
}

/** The keys in the capsule of a shard, or undefined when it was not sealed to B for this header. */
export function openCapsule(
  boxSecretKey: Uint8Array,
  header: Pick<ShardHeader, "owner" | "set" | "keyEpoch" | "capsule">,
): CapsuleKeys | undefined {
  const { capsule } = header;
  if (capsule.length !== CAPSULE_BYTES) return undefined;
  const plaintext = nacl.box.open(
    capsule.subarray(56),
    capsule.subarray(32, 56),
    capsule.subarray(0, 32),
    boxSecretKey,
  );
  if (plaintext?.length !== SEALED_BYTES || plaintext[0] !== VERSION) return undefined;
  const view = new DataView(plaintext.buffer, plaintext.byteOffset);
  const subject = Buffer.concat([idBytes(header.owner), idBytes(header.set)]);
  const same =
    view.getUint32(4) === header.keyEpoch &&
    Buffer.compare(plaintext.subarray(8, 56), subject) === 0;
  if (!same) return undefined;
  return {
    setKey: Uint8Array.from(plaintext.subarray(56, 88)),
    epochKey: Uint8Array.from(plaintext.subarray(88, 120)),
  };
}
