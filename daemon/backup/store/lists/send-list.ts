/**
 * Brings one list and its shards to the next hop, and the receipts of the whole chain back.
 *
 * The owner's site and every holder that passes on run this same code: they differ only in where
 * the shards come from. What the other side has already is never sent.
 */
import type { Clock } from "../../../core/clock.ts";
import type { Channel } from "../../../core/transport.ts";
import type { ListId, SiteId } from "../../../../protocol/ids.ts";
import type { ListEntry } from "../../../../protocol/backup/list.ts";
import { packEntries } from "../../../../protocol/backup/list.ts";
import { idBytes } from "../../../../protocol/ids.ts";
import type { SignedReceipt } from "../../../../protocol/backup/receipt.ts";
import {
  decodeHolderMessage,
  encodeOpenerMessage,
  RAW_FRAME_BYTES,
  unpackBits,
  type HolderMessage,
  type Refusal,
} from "../../../../protocol/messages/shard-message.ts";
import { areRootsOf, isRangeStart, rangeRoots } from "../../../../protocol/backup/shard-ranges.ts";
import type { ArrivalWatch } from "../shards/arrivals.ts";
import { BackupError } from "../error.ts";
import type { LoadedList } from "./list-store.ts";
import { Outbox, SILENCE_MS } from "../spread/outbox.ts";
import type { Slots } from "../shards/slots.ts";

export interface SendJob {
  readonly list: LoadedList;
  /** The sites after the next hop. */
  readonly chain: readonly SiteId[];
  /** The bytes of a shard, or undefined when it is not here now. */
  read(entry: ListEntry): Promise<Uint8Array | undefined>;
  /** Tells of shards that arrive from now on. */
  watch(): ArrivalWatch;
  /**
   * Taken for each shard while it is in memory, by owner and data set; never while waiting for
   * anybody else's work.
   */
  readonly slots: Slots;
  /** A list that was the newest before, to send differences against. */
  base(id: ListId): Promise<LoadedList | undefined>;
  onReceipts(receipts: readonly SignedReceipt[]): Promise<void>;
  /** Shard bytes handed to the transport. */
  onSent(bytes: number): void;
  /** Our copy turned out to be damaged. */
  onDamaged(entry: ListEntry): Promise<void>;
  /** Ends the attempt: there is a newer list, or the daemon stops. */
  readonly signal: AbortSignal;
}

export type SendOutcome =
  | { readonly kind: "refused"; readonly why: Refusal; readonly value: number }
  /** The chain did what it could; these sites it did not reach. */
  | { readonly kind: "ended"; readonly unreached: readonly SiteId[] };

/** @throws when the channel is gone, the peer breaks the protocol or falls silent. */
export async function sendList(channel: Channel, job: SendJob, clock: Clock): Promise<SendOutcome> {
  const { owner, set } = job.list.header;
  channel.carries?.({ urgency: "spread", owner, set });
  const outbox = new Outbox(channel, clock, encodeOpenerMessage({ k: "wait" }));
  const abort = (): void => channel.abort("no longer wanted");
  job.signal.addEventListener("abort", abort, { once: true });
  try {
    if (job.signal.aborted) throw new BackupError("E-BACKUP-PEER", "The transfer was ended.");
    return await new Sending(channel, outbox, job).run();
  } catch (error) {
    channel.abort("transfer failed");
    throw error;
  } finally {
    job.signal.removeEventListener("abort", abort);
    outbox.quiet(true);
  }
}

class Sending {
  readonly #channel: Channel;
  readonly #outbox: Outbox;
  readonly #job: SendJob;
  /** The other side has ended: nothing needs to be sent any more. */
  #over = false;
  /** Ends the wait for shards that are still on their way here. */
  #stopWaiting = (): void => {};

  constructor(channel: Channel, outbox: Outbox, job: SendJob) {
    this.#channel = channel;
    this.#outbox = outbox;
    this.#job = job;
  }

  async run(): Promise<SendOutcome> {
    const { list, chain } = this.#job;
    const { header, signature } = list.signed;
    await this.#outbox.send(
      encodeOpenerMessage({ k: "offer", v: 1, header, signature, chain: [...chain] }),
    );
    const answer = await this.#next();
    if (answer.k === "refuse") {
      await this.#channel.end();
      return { kind: "refused", why: answer.why, value: answer.value };
    }
    if (answer.k !== "need") throw unexpected(answer);
    if (!answer.known) await this.#sendEntries(answer.base);
    let want = await this.#next();
    if (want.k === "refuse") return { kind: "refused", why: want.why, value: want.value };
    while (want.k === "receipt" || want.k === "wait") {
      if (want.k === "receipt") await this.#job.onReceipts(want.receipts);
      want = await this.#next();
    }
    if (want.k !== "want") throw unexpected(want);
    const sending = this.#sendShards(want);
    // When sending fails it cuts the channel, and the listener tells why.
    sending.catch(() => {});
    const outcome = await this.#listen();
    if (outcome.kind === "refused") {
      this.#channel.abort("refused");
      return outcome;
    }
    await sending;
    await this.#channel.end();
    return outcome;
  }

  /** Differences against what the holder has, if we have that, too; else everything. */
  async #sendEntries(baseId: ListId | null): Promise<void> {
    const { list } = this.#job;
    const base = baseId === null ? undefined : await this.#job.base(baseId);
    const before = new Map(base?.entries.map((entry) => [entry.shard, entry.sizeBytes]));
    const now = new Map(list.entries.map((entry) => [entry.shard, entry.sizeBytes]));
    const added = list.entries.filter(({ shard, sizeBytes }) => before.get(shard) !== sizeBytes);
    const removed = [...before.keys()].filter((shard) => !now.has(shard)).toSorted();
    const raw = Buffer.concat([packEntries(added), ...removed.map(idBytes)]);
    await this.#outbox.send(
      encodeOpenerMessage({
        k: "entries",
        base: base?.id ?? null,
        added: added.length,
        removed: removed.length,
      }),
      ...rawFrames(raw),
    );
  }

  async #sendShards(want: Extract<HolderMessage, { k: "want" }>): Promise<void> {
    const { list, signal } = this.#job;
    const pending = new Set(unpackBits(list.entries.length, want.bits));
    const partial = new Map(want.partial.map(({ index, bytes }) => [index, bytes]));
    const indexOf = new Map(list.entries.map(({ shard }, index) => [shard, index]));
    const { owner, set } = list.header;
    const share = [owner, set].map((name) => ({ name, weight: 1 }));
    const watch = this.#job.watch();
    this.#stopWaiting = () => watch.close();
    try {
      let toLookAt: readonly number[] = [...pending];
      for (;;) {
        const more = watch.growing();
        for (const index of toLookAt) {
          if (signal.aborted || this.#over) return;
          const entry = list.entries[index];
          if (entry === undefined || !pending.has(index)) continue;
          const isSent = await this.#job.slots.run(
            async () => {
              const bytes = await this.#job.read(entry);
              if (bytes === undefined) return false;
              return this.#sendShard(index, entry, bytes, partial.get(index) ?? 0);
            },
            share,
            entry.sizeBytes,
          );
          if (isSent) pending.delete(index);
        }
        if (pending.size === 0 || !more || this.#over || signal.aborted) break;
        toLookAt = (await watch.next()).flatMap((shard) => indexOf.get(shard) ?? []);
      }
      await this.#outbox.send(encodeOpenerMessage({ k: "done" }));
    } catch (error) {
      // Wakes the reader, which would otherwise wait for a holder that waits for us.
      this.#channel.abort("sending failed");
      throw error;
    } finally {
      watch.close();
    }
  }

  /** Whether it was sent: a damaged one is not. */
  async #sendShard(
    index: number,
    entry: ListEntry,
    bytes: Uint8Array,
    partialBytes: number,
  ): Promise<boolean> {
    const { owner, set } = this.#job.list.header;
    const roots = rangeRoots(bytes);
    if (!areRootsOf({ owner, set, ...entry }, roots)) {
      await this.#job.onDamaged(entry);
      return false;
    }
    const from = isRangeStart(bytes.length, partialBytes) ? partialBytes : 0;
    // The frames of a shard follow one another: a sign of life must not come between.
    this.#outbox.quiet(true);
    await this.#outbox.send(encodeOpenerMessage({ k: "shard", index, from, roots }));
    for (const frame of rawFrames(bytes.subarray(from))) {
      if (this.#over) return true;
      this.#job.onSent(frame.length);
      await this.#outbox.send(frame);
    }
    this.#outbox.quiet(false);
    return true;
  }

  async #listen(): Promise<SendOutcome> {
    try {
      for (;;) {
        const message = await this.#next();
        switch (message.k) {
          case "receipt":
            await this.#job.onReceipts(message.receipts);
            break;
          case "wait":
            break;
          case "end":
            return { kind: "ended", unreached: message.unreached };
          case "refuse":
            return { kind: "refused", why: message.why, value: message.value };
          case "need":
          case "want":
          case "found":
          case "listed":
          case "heads":
          case "missing":
            throw unexpected(message);
        }
      }
    } finally {
      this.#over = true;
      this.#stopWaiting();
    }
  }

  async #next(): Promise<HolderMessage> {
    const frame = await this.#channel.receive(SILENCE_MS);
    if (frame === undefined) {
      throw new BackupError("E-BACKUP-PEER", "The next hop ended the transfer early.");
    }
    return decodeHolderMessage(frame);
  }
}

/** Cuts raw bytes into frames, of which a range takes two: none reaches beyond its range. */
export function rawFrames(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += RAW_FRAME_BYTES) {
    frames.push(bytes.subarray(at, at + RAW_FRAME_BYTES));
  }
  return frames;
}

function unexpected(message: HolderMessage): BackupError {
  return new BackupError("E-BACKUP-PEER", `The next hop sent "${message.k}" out of turn.`);
}
