/**
 * What the parts of a round share: the conversation, its end, and the count of what it brought.
 */
import type { SyncMessageOf } from "../../../protocol/messages/sync-message.ts";
import type { Clock } from "../../core/clock.ts";
import type { HeaderReception, Reception, Replica } from "../replica.ts";
import { isPeersFault } from "./blame.ts";
import type { Conversation } from "./conversation.ts";
import { SyncError } from "./sync-error.ts";

/** A peer that is still telling after so long is left for another; the next round goes on. */
const ROUND_LIMIT_MS = 10 * 60_000;

type Answer =
  | "statement-ids"
  | "vectors"
  | "statements"
  | "envelopes"
  | "headers"
  | "digests"
  | "done";

export class Asking {
  readonly talk: Conversation;
  readonly replica: Replica;
  /** New here because of this round. */
  statements = 0;
  envelopes = 0;
  /** Refused, and the peer is to blame. */
  refused = 0;
  /** Refused items that were paid for: of two frames at once each is paid for once. */
  #paidFor = 0;
  readonly #clock: Clock;
  readonly #endMs: number;

  constructor(talk: Conversation, replica: Replica, clock: Clock) {
    this.talk = talk;
    this.replica = replica;
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + ROUND_LIMIT_MS;
  }

  /** @throws SyncError, too, when the whole round takes too long. */
  hear<Kind extends Answer>(kind: Kind): Promise<SyncMessageOf<Kind>> {
    if (this.#clock.monotonicMs() > this.#endMs) {
      throw new SyncError("E-SYNC-SIZE", `The round took over ${ROUND_LIMIT_MS / 60_000} minutes.`);
    }
    return this.talk.hear(kind);
  }

  /**
   * The frames of a list, at most so many entries. They are looked at one by one and not kept, so a
   * peer can make us hold no more than a frame.
   */
  async *frames<Kind extends "statement-ids" | "vectors">(
    kind: Kind,
    page: (message: SyncMessageOf<Kind>) => { readonly length: number; readonly more: boolean },
    limit: number,
  ): AsyncGenerator<SyncMessageOf<Kind>> {
    let length = 0;
    for (;;) {
      const message = await this.hear(kind);
      const { length: added, more } = page(message);
      length += added;
      if (length > limit) throw new SyncError("E-SYNC-SIZE", `More than ${limit} ${kind}.`);
      yield message;
      if (!more) return;
    }
  }

  /**
   * Gives the items of an answer to the state, a frame at a time. While one frame is being synced,
   * the next one is read and verified; a third waits in the transport.
   */
  async items(
    kind: "statements" | "envelopes",
    take: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    let before = Promise.resolve();
    for (let more = true; more;) {
      const message = await this.hear(kind);
      await this.talk.payFor(message.items);
      const taken = this.#takeAll(message.items, take);
      // It is looked at when the next frame is here, or never if that does not come.
      taken.catch(() => {});
      await before;
      before = taken;
      more = message.more;
    }
    await before;
  }

  /** All at once and in order: the state syncs what comes together in one write. */
  async #takeAll(
    items: readonly Uint8Array[],
    take: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    await Promise.all(items.map(take));
    const unpaid = this.refused - this.#paidFor;
    this.#paidFor = this.refused;
    await this.talk.payForRefused(unpaid);
  }

  /** Counts what became of an item. True: it is new here. */
  note(reception: Reception | HeaderReception): boolean {
    if (typeof reception === "object" && isPeersFault(reception.refused)) this.refused++;
    return reception === "accepted" || reception === "parked";
  }
}
