/**
 * The side of the issuer: answers applicants on `/pleach/join/1`.
 *
 * Everything here comes from somebody who is no member. Before the proof only a nonce is given
 * away; after it the name of the mesh; after an operator's approval the statements.
 */
import { openApplication } from "../../protocol/messages/application.ts";
import {
  decodeJoinRequest,
  encodeJoinReply,
  MAX_STATEMENTS_IN_FRAME,
  NONCE_BYTES,
  type JoinReply,
  type JoinRequest,
  type Refusal,
} from "../../protocol/messages/join-message.ts";
import type { OwnerId, PeerKey, SiteId } from "../../protocol/ids.ts";
import { cutItems } from "../../protocol/encoding/item-frames.ts";
import { MAX_LOG_HEADS } from "../../protocol/logs/log-head.ts";
import type { ChainHead } from "../../protocol/statements/statement-head.ts";
import { encodeStatement, isGenesis } from "../../protocol/statements/statement.ts";
import type { Clock } from "../core/clock.ts";
import { unfit } from "../core/authority/enrolment.ts";
import type { Channel } from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";
import type { Invitations, UsedInvitation } from "./invitations.ts";
import type { StatementPort } from "./ports.ts";

/** Wrong codes that are looked at in a minute, from all strangers together: keys cost nothing. */
const TRIES_PER_MINUTE = 10;
const MINUTE_MS = 60_000;
/** A stranger that says nothing holds a channel no longer than this. */
const PROOF_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** How long `ask` waits for an answer; well below any time-out of the applicant. */
export const ANSWER_WAIT_MS = 20_000;
const MAX_STRANGERS = 16;
/** So that one channel cannot keep the node busy for ever; the applicant opens another. */
const MAX_REQUESTS = 1000;

export class JoinHost {
  readonly #invitations: Invitations;
  readonly #state: StatementPort;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** When the wrong codes of the last minute came, by the monotonic clock. */
  #wrongAtMs: number[] = [];
  /** Channels on which no code was proved yet. */
  #strangers = 0;
  readonly #waiting = new Set<() => void>();

  constructor(invitations: Invitations, state: StatementPort, clock: Clock, log: Logger) {
    this.#invitations = invitations;
    this.#state = state;
    this.#clock = clock;
    this.#log = log;
    state.onChange(() => this.wake());
  }

  /** Lets those that wait for an answer look again; called after an application was declined. */
  wake(): void {
    for (const resume of this.#waiting) resume();
  }

  /** Answers one channel until the applicant ends it. */
  async serve(channel: Channel<PeerKey>): Promise<void> {
    if (this.#strangers >= MAX_STRANGERS) return this.#refuse(channel, "busy");
    this.#strangers += 1;
    let invitation: UsedInvitation | undefined;
    try {
      invitation = await this.#admit(channel);
    } finally {
      this.#strangers -= 1;
    }
    if (invitation !== undefined) await this.#converse(channel, invitation);
    await channel.end();
  }

  async #admit(channel: Channel<PeerKey>): Promise<UsedInvitation | undefined> {
    const hello = await receive(channel, PROOF_TIMEOUT_MS);
    const meshId = this.#state.meshId();
    const genesis = this.#state.statements().find(({ body }) => isGenesis(body));
    if (hello?.t !== "hello" || meshId === undefined || genesis === undefined) {
      await this.#refuse(channel, "form");
      return undefined;
    }
    const nowMs = this.#clock.monotonicMs();
    this.#wrongAtMs = this.#wrongAtMs.filter((atMs) => nowMs - atMs < MINUTE_MS);
    if (this.#wrongAtMs.length >= TRIES_PER_MINUTE) {
      await this.#refuse(channel, "busy");
      return undefined;
    }
    const nonce = this.#clock.random(NONCE_BYTES);
    await reply(channel, { v: 1, t: "challenge", nonce });
    const proof = await receive(channel, PROOF_TIMEOUT_MS);
    const invitation =
      proof?.t === "prove"
        ? await this.#invitations.prove(
            meshId,
            this.#state.siteId,
            channel.peer,
            nonce,
            proof.proof,
          )
        : undefined;
    if (invitation === undefined) {
      this.#wrongAtMs.push(this.#clock.monotonicMs());
      this.#log.warn("a code was refused", { peer: channel.peer });
      await this.#refuse(channel, "code");
      return undefined;
    }
    await reply(channel, { v: 1, t: "accepted", genesis: encodeStatement(genesis) });
    return invitation;
  }

  async #converse(channel: Channel<PeerKey>, invitation: UsedInvitation): Promise<void> {
    for (let count = 0; count < MAX_REQUESTS; count++) {
      const request = await receive(channel, REQUEST_TIMEOUT_MS);
      if (request === undefined) return;
      switch (request.t) {
        case "about":
          await reply(channel, this.#facts(request.owner, request.replaces));
          break;
        case "apply":
          await reply(channel, await this.#apply(invitation, request.application));
          break;
        case "ask":
          await this.#answer(channel, invitation);
          break;
        case "hello":
        case "prove":
          return this.#refuse(channel, "form");
      }
    }
  }

  #facts(ownerId: OwnerId | null, replaces: string | null): JoinReply {
    const authority = this.#state.authority();
    const owner = ownerId === null ? undefined : authority.owners.get(ownerId);
    const old = replaces === null ? undefined : authority.siteNamed(replaces);
    return {
      v: 1,
      t: "facts",
      site: authority.sites.get(this.#state.siteId)?.name ?? "",
      lamport: this.#state.nextLamport(),
      owner: owner === undefined ? null : { name: owner.name, ...this.#chainEnd(owner.ownerId) },
      old:
        old === undefined
          ? null
          : {
              site: old.siteId,
              heads: this.#state
                .headsOf(old.siteId)
                .slice(0, MAX_LOG_HEADS)
                .map(({ log, seq, head: last }) => ({ log, seq, head: last })),
            },
    };
  }

  #chainEnd(owner: OwnerId): Pick<ChainHead, "seq" | "prev"> {
    const { seq, prev } = this.#state.chainHead(owner);
    return { seq, prev };
  }

  async #apply(invitation: UsedInvitation, bytes: Uint8Array): Promise<JoinReply> {
    // The line was lost after the approval: the applicant goes on where it was.
    if (this.#state.authority().isMember(invitation.applicant)) return { v: 1, t: "pending" };
    const application = openApplication(bytes);
    const reason =
      application === undefined
        ? "form"
        : unfit(application, invitation.applicant, this.#state.authority());
    if (reason !== undefined) return { v: 1, t: "refused", reason };
    const kept = await this.#invitations.apply(invitation, bytes);
    if (!kept) return { v: 1, t: "refused", reason: "code" };
    this.#log.info("an application waits for an operator", {
      site: application?.request.name,
      peer: invitation.applicant,
    });
    return { v: 1, t: "pending" };
  }

  /** Answers at once when there is an answer, else when one comes or the time is over. */
  async #answer(channel: Channel<PeerKey>, invitation: UsedInvitation): Promise<void> {
    if (!this.#isAnswered(invitation)) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          cancel();
          this.#waiting.delete(look);
          resolve();
        };
        const look = (): void => (this.#isAnswered(invitation) ? done() : undefined);
        const cancel = this.#clock.after(ANSWER_WAIT_MS, done);
        this.#waiting.add(look);
      });
    }
    if (this.#state.authority().isMember(invitation.applicant)) {
      await this.#sendStatements(channel);
    } else {
      await reply(channel, { v: 1, t: this.#isDeclined(invitation) ? "declined" : "pending" });
    }
  }

  #isAnswered(invitation: UsedInvitation): boolean {
    const approved = this.#state.authority().isMember(invitation.applicant);
    return approved || this.#isDeclined(invitation);
  }

  #isDeclined({ proofKey, applicant }: UsedInvitation): boolean {
    // It was let in and is no member any more: its key never comes back.
    if (this.#state.authority().endedSites.has(applicant as string as SiteId)) return true;
    const now = this.#invitations
      .used()
      .find((each) => Buffer.compare(each.proofKey, proofKey) === 0);
    return now?.declined !== false;
  }

  async #sendStatements(channel: Channel<PeerKey>): Promise<void> {
    const all = this.#state.statements().map(encodeStatement);
    for (const { part, more } of cutItems(all, MAX_STATEMENTS_IN_FRAME)) {
      await reply(channel, { v: 1, t: "statements", list: part, last: !more });
    }
  }

  #refuse(channel: Channel<PeerKey>, reason: Refusal): Promise<void> {
    return reply(channel, { v: 1, t: "refused", reason });
  }
}

function reply(channel: Channel<PeerKey>, message: JoinReply): Promise<void> {
  return channel.send(encodeJoinReply(message));
}

/** Undefined at the end of the channel and for what is no message. */
async function receive(
  channel: Channel<PeerKey>,
  timeoutMs: number,
): Promise<JoinRequest | undefined> {
  const frame = await channel.receive(timeoutMs);
  return frame === undefined ? undefined : decodeJoinRequest(frame);
}
