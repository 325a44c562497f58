/**
 * The holder's side of a transfer: takes in a list that may be taken, then the shards it names.
 *
 * A receipt leaves only after its shard is durable. What arrived is passed on at the same time;
 * receipts of later hops go back on the same channel.
 */
import type { Channel } from "../../../core/transport.ts";
import type { ListId, SiteId } from "../../../../protocol/ids.ts";
import {
  checkEntries,
  listId,
  openListHeader,
  packEntries,
  type ListHeader,
} from "../../../../protocol/backup/list.ts";
import type { SignedReceipt } from "../../../../protocol/backup/receipt.ts";
import {
  encodeHolderMessage,
  entriesBytes,
  MAX_RECEIPTS_IN_MESSAGE,
  packBits,
  type OpenerMessage,
} from "../../../../protocol/messages/shard-message.ts";
import { PleachError } from "../../../../protocol/error.ts";
import { BackupError } from "../error.ts";
import { Attempts, type Attempt } from "./attempts.ts";
import { groupName } from "./group-name.ts";
import { intakeLimits, roomOf, bytesOf } from "../shards/intake-limits.ts";
import { missingOf, receiptFor, receiptForList, type Holder } from "../holder.ts";
import { entriesAfter } from "./list-changes.ts";
import { nextMessage, outOfTurn, readRaw, refuse, waitSeconds } from "./list-channel.ts";
import { refusalOf } from "./list-rights.ts";
import type { LoadedList } from "./list-store.ts";
import { Outbox } from "../spread/outbox.ts";
import { ShardIntake } from "../shards/shard-intake.ts";

type Offer = Extract<OpenerMessage, { k: "offer" }>;

/** Passes lists on along the chain. */
export interface PassOn {
  submit(list: LoadedList, chain: readonly SiteId[]): Promise<void>;
  /** Resolves when the later hops have all signed, or those named cannot for now. */
  settled(group: string): Promise<readonly SiteId[]>;
}

export class ListReceiver {
  readonly #holder: Holder;
  readonly #passOn: PassOn;
  readonly #intake: ShardIntake;
  readonly #attempts: Attempts;
  readonly #onComplete: (list: LoadedList) => void;

  constructor(holder: Holder, passOn: PassOn, onComplete: (list: LoadedList) => void) {
    this.#holder = holder;
    this.#passOn = passOn;
    this.#intake = new ShardIntake(holder);
    this.#attempts = new Attempts(holder.clock);
    this.#onComplete = onComplete;
  }

  /** Ends what is under way and waits until nothing is written any more. */
  async stop(): Promise<void> {
    await this.#intake.stop();
    await this.#attempts.stop();
  }

  /** Serves one channel whose first message was an offer. */
  async serve(channel: Channel, offer: Offer): Promise<void> {
    const header = openListHeader(offer.header, offer.signature);
    // First of all: who may not bring the list must not end the attempt of who may.
    const refusal = this.#refusalOf(channel.peer, header, listId(offer.header));
    if (refusal !== undefined) return refuse(channel, refusal.why, refusal.value);
    const attempt = await this.#attempts.begin(channel, header);
    if (attempt === undefined) return refuse(channel, "busy", 0);
    const signOfLife = encodeHolderMessage({ k: "wait" });
    const outbox = new Outbox(channel, this.#holder.clock, signOfLife, () =>
      attempt.end("the peer is gone"),
    );
    const arrived = this.#holder.arrivals.begin(groupName(header));
    try {
      await this.#receive(channel, outbox, offer, header, attempt, arrived);
    } catch (error) {
      // The disk is full, for shards or for lists: said, so that the owner knows and goes elsewhere.
      if (!isFull(error)) throw error;
      await outbox.send(encodeHolderMessage({ k: "refuse", why: "space", value: 0 }));
      await channel.end();
    } finally {
      outbox.quiet(true);
      arrived();
      attempt.done();
    }
  }

  #refusalOf(from: SiteId, header: ListHeader, id: ListId) {
    const { state, lists, transport } = this.#holder;
    const known = lists.newest(header.owner, header.set, header.group);
    return refusalOf({
      ...{ header, from, self: transport.self, mesh: state.meshId },
      ...{ authority: state.authority(), view: state.view() },
      ...{ known, same: known?.id === id },
    });
  }

  async #receive(
    channel: Channel,
    outbox: Outbox,
    offer: Offer,
    header: ListHeader,
    attempt: Attempt,
    arrived: () => void,
  ): Promise<void> {
    const { lists, gates, receipts, clock } = this.#holder;
    const { owner, set } = header;
    const id = listId(offer.header);
    // Again: the attempt before may have brought something newer.
    const refusal = this.#refusalOf(channel.peer, header, id);
    if (refusal !== undefined) return refuse(channel, refusal.why, refusal.value);
    const waitMs = this.#holder.transport.opensInMs?.(channel.peer, "spread") ?? 0;
    if (waitMs > 0) return refuse(channel, "hours", waitSeconds(waitMs));
    channel.carries?.({ urgency: "spread", owner, set });
    const isNew = lists.newest(owner, set, header.group)?.id !== id;
    const limits = intakeLimits(this.#holder, header, id, channel.peer);
    if (isNew && limits.lists < 1) return refuse(channel, "intake", limits.waitSeconds);
    const list = await this.#takeList(channel, outbox, offer, header, id);
    // From the look at what is here until the list is durable nothing of the set is deleted.
    const taken = await gates.run(header, async () => {
      const missing = await missingOf(this.#holder, list);
      const room = await roomOf(this.#holder, list, missing, limits);
      if (room.reservation !== undefined) await lists.put([list]);
      return { missing, ...room };
    });
    const { missing, wanted, reservation } = taken;
    this.#holder.waiting.note(owner, reservation === undefined ? taken.why : undefined);
    if (reservation === undefined) return refuse(channel, taken.why, taken.freeBytes);
    const wantedBytes = bytesOf(list, wanted);
    await limits.spend(wantedBytes, isNew ? 1 : 0);
    if (missing.length > 0 && wanted.length === 0) {
      reservation.release();
      this.#holder.waiting.note(owner, "intake");
      return refuse(channel, "intake", limits.waitSeconds);
    }
    const stopTelling = receipts.onNew((added) => {
      const later = added.filter(({ receipt }) => receipt.set === set);
      if (later.length > 0) {
        sendReceipts(
          outbox,
          later.map(({ signed }) => signed),
        ).catch(() => {});
      }
    });
    try {
      await this.#passOn.submit(
        list,
        offer.chain.filter((site) => site !== this.#holder.transport.self),
      );
      await this.#sendKnownReceipts(outbox, list, new Set(missing), new Set(wanted), offer.chain);
      await this.#intake.run(channel, outbox, list, wanted, reservation, () => {
        attempt.progressMs = clock.monotonicMs();
      });
      arrived();
      if ((await missingOf(this.#holder, list)).length === 0) this.#onComplete(list);
      const unreached = await unlessEnded(this.#passOn.settled(groupName(header)), attempt.signal);
      await outbox.send(encodeHolderMessage({ k: "end", unreached: [...unreached] }));
      await channel.end();
    } finally {
      stopTelling();
      await limits.spend(-reservation.release(), 0);
    }
  }

  /** The list with its entries: known already, by differences, or as a whole. */
  async #takeList(
    channel: Channel,
    outbox: Outbox,
    offer: Offer,
    header: ListHeader,
    id: ListId,
  ): Promise<LoadedList> {
    const { owner, set, group } = header;
    const newest = await this.#holder.lists.load(owner, set, group);
    const known = newest?.id === id;
    await outbox.send(encodeHolderMessage({ k: "need", known, base: newest?.id ?? null }));
    if (known && newest !== undefined) return newest;
    const message = await nextMessage(channel);
    if (message.k !== "entries") throw outOfTurn(message.k);
    const raw = await readRaw(channel, entriesBytes(message));
    if (message.base !== null && message.base !== newest?.id) throw outOfTurn("entries");
    const base = message.base === null ? [] : (newest?.entries ?? []);
    const packed = packEntries(entriesAfter(base, raw, message.added));
    const signed = { header: offer.header, signature: offer.signature, entries: packed };
    return { id, header, signed, entries: checkEntries(header, packed) };
  }

  /** Receipts for what is here, and what later hops have signed before. */
  async #sendKnownReceipts(
    outbox: Outbox,
    list: LoadedList,
    missing: ReadonlySet<number>,
    wanted: ReadonlySet<number>,
    chain: readonly SiteId[],
  ): Promise<void> {
    const bits = packBits(list.entries.length, wanted);
    const partial = this.#intake.partial(list, wanted);
    await outbox.send(encodeHolderMessage({ k: "want", bits, partial }));
    const here = list.entries.filter((_entry, index) => !missing.has(index));
    let batch: SignedReceipt[] = [receiptForList(this.#holder, list)];
    for (const entry of here) {
      batch.push(receiptFor(this.#holder, list, entry));
      if (batch.length === MAX_RECEIPTS_IN_MESSAGE) {
        await sendReceipts(outbox, batch);
        batch = [];
      }
    }
    const ids = [list.id, ...list.entries.map(({ shard }) => shard)];
    for (const site of chain) {
      const later = await this.#holder.receipts.forPieces(list.header.set, site, ids);
      batch.push(...later.flatMap((receipt) => receipt?.signed ?? []));
    }
    await sendReceipts(outbox, batch);
  }
}

/** A later hop may take half an hour; whoever asked us may be gone long before. */
function unlessEnded<T>(promise: Promise<T>, ended: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new BackupError("E-BACKUP-PEER", "The transfer was ended."));
    if (ended.aborted) stop();
    ended.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => ended.removeEventListener("abort", stop));
  });
}

async function sendReceipts(outbox: Outbox, receipts: readonly SignedReceipt[]): Promise<void> {
  for (let at = 0; at < receipts.length; at += MAX_RECEIPTS_IN_MESSAGE) {
    const part = receipts.slice(at, at + MAX_RECEIPTS_IN_MESSAGE);
    const plain = part.map(({ bytes, signature }) => ({ bytes, signature }));
    await outbox.send(encodeHolderMessage({ k: "receipt", receipts: plain }));
  }
}

/** Whether the shard store or the state has no room: see shard-store.ts and disk-guard.ts. */
function isFull(error: unknown): boolean {
  return error instanceof PleachError && ["E-BACKUP-SPACE", "E-NO-SPACE"].includes(error.code);
}
