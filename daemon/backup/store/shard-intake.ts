/**
 * Takes the shards of one list off a channel and makes them durable, several at a time.
 *
 * Bytes of a shard that was cut off are kept in memory, so that the next attempt goes on from
 * there; after a restart at most one shard of a sender is sent again.
 */
import type { Channel } from "../../core/transport.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import type { ListEntry } from "../../../protocol/list.ts";
import {
  decodeOpenerMessage,
  encodeHolderMessage,
  MAX_RAW_FRAME_BYTES,
} from "../../../protocol/shard-message.ts";
import { BackupError } from "./error.ts";
import { groupName } from "./group-name.ts";
import { receiptFor, type Holder } from "./holder.ts";
import type { LoadedList } from "./list-store.ts";
import { SILENCE_MS, type Outbox } from "./outbox.ts";
import type { Reservation } from "./quota.ts";
import { Slots } from "./slots.ts";

/** Shards of one sender that are received but not yet durable. */
const MAX_WRITING = 3;
/** Shards of all senders that are received or written at once: 128 MiB of memory. */
const MAX_TAKEN_IN = 32;
/** Cut-off shards that are remembered: 16 MiB at most. */
const MAX_PARTIAL = 4;

export class ShardIntake {
  readonly #holder: Holder;
  readonly #partial = new Map<ShardId, Uint8Array>();
  readonly #slots = new Slots(MAX_TAKEN_IN);

  constructor(holder: Holder) {
    this.#holder = holder;
  }

  /** How much of the wanted shards is here from an attempt before. */
  partial(list: LoadedList, wanted: ReadonlySet<number>): { index: number; bytes: number }[] {
    if (this.#partial.size === 0) return [];
    return [...wanted].flatMap((index) => {
      const entry = list.entries[index];
      const bytes = entry === undefined ? undefined : this.#partial.get(entry.shard)?.length;
      return bytes === undefined ? [] : [{ index, bytes }];
    });
  }

  /** Receives until the sender says `done`; resolves when all that came is durable. */
  async run(
    channel: Channel,
    outbox: Outbox,
    list: LoadedList,
    wanted: readonly number[],
    reservation: Reservation,
  ): Promise<void> {
    const writing = new Set<Promise<void>>();
    try {
      await this.#receiveAll(channel, outbox, list, new Set(wanted), reservation, writing);
      await Promise.all(writing);
    } finally {
      // Nothing may be written any more once the attempt is over.
      await Promise.allSettled(writing);
    }
  }

  async #receiveAll(
    channel: Channel,
    outbox: Outbox,
    list: LoadedList,
    pending: Set<number>,
    reservation: Reservation,
    writing: Set<Promise<void>>,
  ): Promise<void> {
    for (;;) {
      const frame = await channel.receive(SILENCE_MS);
      if (frame === undefined) {
        throw new BackupError("E-BACKUP-PEER", "The sender ended the transfer early.");
      }
      const message = decodeOpenerMessage(frame);
      if (message.k === "wait") continue;
      if (message.k === "done") break;
      const entry = message.k === "shard" ? list.entries[message.index] : undefined;
      if (message.k !== "shard" || entry === undefined || !pending.delete(message.index)) {
        throw new BackupError("E-BACKUP-PEER", "The sender sent a shard that was not wanted.");
      }
      const { index, from } = message;
      const received = Promise.withResolvers<void>();
      const work = this.#slots.run(async () => {
        const bytes = await this.#readShard(channel, entry, from).catch((error: unknown) => {
          received.reject(error);
          throw error;
        });
        received.resolve();
        await this.#keep(outbox, list, index, entry, bytes, reservation);
      });
      writing.add(work);
      work.then(
        () => writing.delete(work),
        // A failed one stays, so that the next look at all of them meets it.
        () => {},
      );
      // The next message follows the last byte.
      await received.promise;
      if (writing.size >= MAX_WRITING) await Promise.race(writing);
    }
  }

  async #readShard(channel: Channel, entry: ListEntry, from: number): Promise<Uint8Array> {
    const before = this.#partial.get(entry.shard);
    this.#partial.delete(entry.shard);
    if (from !== 0 && from !== before?.length) {
      throw new BackupError("E-BACKUP-PEER", "The sender went on at another place.");
    }
    const bytes = new Uint8Array(entry.sizeBytes);
    if (before !== undefined) bytes.set(before.subarray(0, from));
    let at = from;
    try {
      while (at < bytes.length) {
        const frame = await channel.receive(SILENCE_MS);
        const size = frame?.length ?? 0;
        if (frame === undefined || size === 0 || size > MAX_RAW_FRAME_BYTES) {
          throw new BackupError("E-BACKUP-PEER", "The sender broke off in a shard.");
        }
        if (size > bytes.length - at) {
          throw new BackupError("E-BACKUP-PEER", "The sender sent more than the shard has.");
        }
        bytes.set(frame, at);
        at += size;
      }
    } catch (error) {
      if (at > 0 && this.#partial.size < MAX_PARTIAL) {
        this.#partial.set(entry.shard, bytes.subarray(0, at));
      }
      throw error;
    }
    return bytes;
  }

  async #keep(
    outbox: Outbox,
    list: LoadedList,
    index: number,
    entry: ListEntry,
    bytes: Uint8Array,
    reservation: Reservation,
  ): Promise<void> {
    const { owner, set } = list.header;
    const { shards, quota, arrivals } = this.#holder;
    try {
      const outcome = await shards.put({ owner, set, shard: entry.shard }, bytes);
      if (outcome === "stored") quota.stored(owner, bytes.length);
      reservation.used(bytes.length);
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== "E-BACKUP-SHARD") throw error;
      await outbox.send(encodeHolderMessage({ k: "bad", index }));
      return;
    }
    arrivals.arrived(groupName(list.header), entry.shard);
    const { bytes: signed, signature } = receiptFor(this.#holder, list, entry);
    await outbox.send(
      encodeHolderMessage({ k: "receipt", receipts: [{ bytes: signed, signature }] }),
    );
  }
}
