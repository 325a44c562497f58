/**
 * Seals the frames of a shard into shared memory, and opens the result again before it counts.
 *
 * The memory has room for a shard of each thread and one more. A thread that finds it full sleeps
 * until the main thread has stored one: that is what bounds the memory of a backup.
 */
import { randomFillSync } from "node:crypto";
import { crc32 } from "node:zlib";
import type { OwnerId, SetId, ShardId } from "../../../../protocol/ids.ts";
import { SHARD_NONCE_BYTES } from "../../../../protocol/backup/shard.ts";
import {
  OpenedShard,
  sealShard,
  sealedBytes,
  tableOf,
} from "../../../../protocol/backup/sealed-shard.ts";
import { SHARD_BYTES, paddedShardBytes, shardIdOf } from "../../../../protocol/backup/shard-id.ts";
import { BackupError } from "../error.ts";
import { FrameCipher } from "../frame-cipher.ts";
import type { FrameCodec } from "./frame-codec.ts";
import type { CheckedFrame } from "./shard-packer.ts";

/** Frames are mostly shorter than half a shard. */
const CIPHER_BYTES = SHARD_BYTES / 2;

/** What every shard of a run says in its header. */
export interface SealSubject {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly keyEpoch: number;
  /** K_set. */
  readonly setKey: Uint8Array;
  /** K_epoch. */
  readonly epochKey: Uint8Array;
  readonly capsule: Uint8Array;
}

/** Room for sealed shards that all threads share. */
export interface ShardSlots {
  readonly memory: SharedArrayBuffer;
  /** Word 0 counts the slots that were given back; then a word for each: free (0) or taken (1). */
  readonly states: SharedArrayBuffer;
}

export interface SealedShard {
  readonly shard: ShardId;
  readonly sizeBytes: number;
  readonly keyEpoch: number;
  /** Number of the slot that holds the bytes. */
  readonly slot: number;
  readonly table: Uint8Array;
}

export function newSlots(count: number): ShardSlots {
  return {
    memory: new SharedArrayBuffer(count * SHARD_BYTES),
    states: new SharedArrayBuffer((1 + count) * 4),
  };
}

/** The bytes of a shard in its slot. */
export function slotBytes(slots: ShardSlots, slot: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(slots.memory, slot * SHARD_BYTES, sizeBytes);
}

/** Gives a slot back and wakes the threads that wait for one. */
export function freeSlot(slots: ShardSlots, slot: number): void {
  const states = new Int32Array(slots.states);
  Atomics.store(states, 1 + slot, 0);
  Atomics.add(states, 0, 1);
  Atomics.notify(states, 0);
}

/** Gives all slots back, whatever is in them. */
export function freeAllSlots(slots: ShardSlots): void {
  const count = slots.states.byteLength / 4 - 1;
  for (let slot = 0; slot < count; slot++) freeSlot(slots, slot);
}

export class ShardSealer {
  readonly #subject: SealSubject;
  readonly #slots: ShardSlots;
  readonly #codec: FrameCodec;
  readonly #cipher = new FrameCipher(CIPHER_BYTES);

  constructor(subject: SealSubject, slots: ShardSlots, codec: FrameCodec) {
    this.#codec = codec;
    this.#subject = subject;
    this.#slots = slots;
  }

  /** Of all shards that it seals. */
  get keyEpoch(): number {
    return this.#subject.keyEpoch;
  }

  /**
   * Seals frames as a shard of 4 MiB, or, as the remainder of a run, of its Padmé size. Blocks
   * while no slot is free.
   *
   * @throws BackupError E-BACKUP-SELF when the shard does not open to the same bytes.
   */
  seal(frames: readonly CheckedFrame[], size: "full" | "remainder"): SealedShard {
    const table = tableOf(frames);
    const sizeBytes =
      size === "full" ? SHARD_BYTES : paddedShardBytes(sealedBytes(frames, table.length));
    const slot = this.#takeSlot();
    const bytes = slotBytes(this.#slots, slot, sizeBytes);
    const { owner, set, keyEpoch, capsule, setKey, epochKey } = this.#subject;
    const nonce = random(SHARD_NONCE_BYTES);
    const header = { owner, set, keyEpoch, nonce, capsule };
    const { encryptInto } = this.#cipher;
    sealShard(bytes, { header, setKey, epochKey, random, encryptInto }, frames);
    this.#openAgain(bytes, frames);
    // Kept until the end of the run: not as a part of a pool, which would stay with it.
    const own = Uint8Array.from(table);
    return { shard: shardIdOf(owner, set, bytes), sizeBytes, keyEpoch, slot, table: own };
  }

  #openAgain(bytes: Uint8Array, frames: readonly CheckedFrame[]): void {
    const opened = new OpenedShard(bytes, this.#subject);
    const unpack = this.#codec.unpack.bind(this.#codec);
    frames.forEach(({ crc }, number) => {
      const plaintext = opened.frame(number, unpack, this.#cipher.decrypt);
      if (crc32(plaintext) !== crc) {
        throw new BackupError(
          "E-BACKUP-SELF",
          "A shard that was just sealed opens to other bytes than went in.",
          {
            changed: "The snapshot was not made. What is stored already stays.",
            hint: "Test the memory of this machine (memtest86+), then run the backup again.",
          },
        );
      }
    });
  }

  #takeSlot(): number {
    const states = new Int32Array(this.#slots.states);
    for (;;) {
      const given = Atomics.load(states, 0);
      for (let slot = 0; slot < states.length - 1; slot++) {
        if (Atomics.compareExchange(states, 1 + slot, 0, 1) === 0) return slot;
      }
      Atomics.wait(states, 0, given);
    }
  }
}

function random(sizeBytes: number): Uint8Array {
  return randomFillSync(new Uint8Array(sizeBytes));
}
