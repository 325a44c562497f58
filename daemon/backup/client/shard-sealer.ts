/**
 * Seals the frames of a shard into shared memory, and opens the result again before it counts.
 *
 * The memory has room for a few shards a thread. A thread that finds it full sleeps until the
 * main thread has stored one: that is what bounds the memory of a backup.
 */
import { randomFillSync } from "node:crypto";
import { crc32 } from "node:zlib";
import type { OwnerId, SetId, ShardId } from "../../../protocol/ids.ts";
import { SHARD_NONCE_BYTES } from "../../../protocol/shard.ts";
import { OpenedShard, sealShard, sealedBytes, tableOf } from "../../../protocol/sealed-shard.ts";
import { SHARD_BYTES, paddedShardBytes, shardIdOf } from "../../../protocol/shard-id.ts";
import { BackupError } from "./error.ts";
import type { FrameCodec } from "./frame-codec.ts";
import type { CheckedFrame } from "./shard-packer.ts";

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

/** Room for sealed shards that two threads share: one is free (0) or taken (1). */
export interface ShardSlots {
  readonly memory: SharedArrayBuffer;
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
    states: new SharedArrayBuffer(count * 4),
  };
}

/** The bytes of a shard in its slot. */
export function slotBytes(slots: ShardSlots, slot: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(slots.memory, slot * SHARD_BYTES, sizeBytes);
}

/** Gives a slot back and wakes the thread that waits for it. */
export function freeSlot(slots: ShardSlots, slot: number): void {
  const states = new Int32Array(slots.states);
  Atomics.store(states, slot, 0);
  Atomics.notify(states, slot);
}

/** Gives all slots back, whatever is in them. */
export function freeAllSlots(slots: ShardSlots): void {
  for (let slot = 0; slot < slots.states.byteLength / 4; slot++) freeSlot(slots, slot);
}

export class ShardSealer {
  readonly #subject: SealSubject;
  readonly #slots: ShardSlots;
  readonly #codec: FrameCodec;
  #next = 0;

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
    sealShard(bytes, { header, setKey, epochKey, random }, frames);
    this.#openAgain(bytes, frames);
    return { shard: shardIdOf(owner, set, bytes), sizeBytes, keyEpoch, slot, table };
  }

  #openAgain(bytes: Uint8Array, frames: readonly CheckedFrame[]): void {
    const opened = new OpenedShard(bytes, this.#subject);
    frames.forEach(({ crc }, number) => {
      const plaintext = opened.frame(number, this.#codec.unpack.bind(this.#codec));
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
    const slot = this.#next;
    this.#next = (slot + 1) % states.length;
    while (Atomics.compareExchange(states, slot, 0, 1) !== 0) Atomics.wait(states, slot, 1);
    return slot;
  }
}

function random(sizeBytes: number): Uint8Array {
  return randomFillSync(new Uint8Array(sizeBytes));
}
