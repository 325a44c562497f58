/**
 * Owners of whom this holder could not take what they sent last: the rest waits at their sites.
 *
 * In memory alone: who waits asks again within hours.
 */
import type { OwnerId } from "../../../../protocol/ids.ts";
import type { Refusal } from "../../../../protocol/messages/shard-message.ts";

/** Why something waits: the holder's room, the owner's part of it, or the owner's day. */
export type WaitingFor = Extract<Refusal, "space" | "cap" | "owner" | "intake">;

export class WaitingOwners {
  readonly #why = new Map<OwnerId, WaitingFor>();

  /** @param why - Undefined: the last list of the owner was taken in. */
  note(owner: OwnerId, why: WaitingFor | undefined): void {
    if (why === undefined) this.#why.delete(owner);
    else this.#why.set(owner, why);
  }

  of(owner: OwnerId): WaitingFor | undefined {
    return this.#why.get(owner);
  }
}
