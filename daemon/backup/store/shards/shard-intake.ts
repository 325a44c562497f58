/**
 * Takes the shards of one list off a channel and makes them durable, several at a time.
 *
 * They come in ranges, each verified before it is written, so a shard that was cut off goes on at
 * the range that was under way, after a restart as well.
 */
import type { Channel } from "../../../core/transport.ts";
import type { ListEntry } from "../../../../protocol/backup/list.ts";
import {
  decodeOpenerMessage,
  encodeHolderMessage,
} from "../../../../protocol/messages/shard-message.ts";
import { noRoom } from "./disk-error.ts";
import { RepeatedWork } from "../../repeated-work.ts";
import { BackupError } from "../error.ts";
import { groupName } from "../lists/group-name.ts";
import { receiptFor, type Holder } from "../holder.ts";
import type { LoadedList } from "../lists/list-store.ts";
import { SILENCE_MS, type Outbox } from "../spread/outbox.ts";
import type { ComingShard, PartialShard } from "./partial-shards.ts";
import type { Reservation } from "./quota.ts";
import { readRanges } from "./read-ranges.ts";
import { Slots } from "./slots.ts";

/** Shards of one sender that are received but not yet durable. */
const MAX_WRITING = 3;
/** Shards of all senders that are received or written at once: 8 MiB of memory. */
const MAX_TAKEN_IN = 32;
/** How often what nobody goes on with is looked for. */
const SWEEP_MS = 6 * 3_600_000;
/** As many as `want` may tell of. */
const MAX_PARTIAL_TOLD = 64;

export class ShardIntake {
  readonly #holder: Holder;
  readonly #slots = new Slots(MAX_TAKEN_IN);

  readonly #sweeps: RepeatedWork;

  constructor(holder: Holder) {
    this.#holder = holder;
    const { shards, clock, log } = holder;
    this.#sweeps = new RepeatedWork(clock, async () => {
      await shards.partials.sweep(clock.wallMs()).catch((error: unknown) => {
        log.warn("what came of unfinished shards cannot be deleted", { error: String(error) });
      });
      return SWEEP_MS;
    });
    this.#sweeps.within(SWEEP_MS);
  }

  stop(): Promise<void> {
    return this.#sweeps.stop();
  }

  /** How much of the wanted shards is here from an attempt before. */
  partial(list: LoadedList, wanted: ReadonlySet<number>): { index: number; bytes: number }[] {
    const { partials } = this.#holder.shards;
    return [...wanted]
      .flatMap((index) => {
        const entry = list.entries[index];
        const bytes = entry === undefined ? 0 : partials.bytesOf(entry.shard);
        return bytes === 0 || bytes >= (entry?.sizeBytes ?? 0) ? [] : [{ index, bytes }];
      })
      .slice(0, MAX_PARTIAL_TOLD);
  }

  /**
   * Receives until the sender says `done`; resolves when all that came is durable.
   *
   * @param onKept - Called for each shard.
   */
  async run(
    channel: Channel,
    outbox: Outbox,
    list: LoadedList,
    wanted: readonly number[],
    reservation: Reservation,
    onKept: () => void,
  ): Promise<void> {
    const writing = new Set<Promise<void>>();
    const keep = async (entry: ListEntry, whole: PartialShard): Promise<void> => {
      await this.#keep(outbox, list, entry, whole, reservation);
      onKept();
    };
    try {
      await this.#receiveAll(channel, list, new Set(wanted), writing, keep);
      await Promise.all(writing);
    } finally {
      // Nothing may be written any more once the attempt is over.
      await Promise.allSettled(writing);
    }
  }

  async #receiveAll(
    channel: Channel,
    list: LoadedList,
    pending: Set<number>,
    writing: Set<Promise<void>>,
    keep: (entry: ListEntry, whole: PartialShard) => Promise<void>,
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
      const { from, roots } = message;
      const coming = { ...entry, roots, owner: list.header.owner, set: list.header.set };
      const received = Promise.withResolvers<void>();
      const work = this.#slots.run(async () => {
        const whole = await this.#readShard(channel, coming, from).catch((error: unknown) => {
          received.reject(error);
          throw error;
        });
        received.resolve();
        await keep(entry, whole);
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

  async #readShard(channel: Channel, coming: ComingShard, from: number): Promise<PartialShard> {
    const { shards, clock } = this.#holder;
    if ((await shards.freeBytes()) < coming.sizeBytes - from) throw noRoom();
    const partial = await shards.partials.begin(coming, from, clock.wallMs());
    try {
      await readRanges(channel, partial, { silenceMs: SILENCE_MS });
      return partial;
    } catch (error) {
      await partial.leave();
      throw error;
    }
  }

  async #keep(
    outbox: Outbox,
    list: LoadedList,
    entry: ListEntry,
    whole: PartialShard,
    reservation: Reservation,
  ): Promise<void> {
    const { owner } = list.header;
    const { shards, quota, arrivals } = this.#holder;
    if ((await shards.adopt(whole)) === "stored") quota.stored(owner, entry.sizeBytes);
    reservation.used(entry.sizeBytes);
    arrivals.arrived(groupName(list.header), entry.shard);
    const { bytes: signed, signature } = receiptFor(this.#holder, list, entry);
    await outbox.send(
      encodeHolderMessage({ k: "receipt", receipts: [{ bytes: signed, signature }] }),
    );
  }
}
