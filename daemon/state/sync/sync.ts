/**
 * Keeps the state of linked members equal, over `/pleach/state/1`.
 *
 * Of each new link one end starts a round at once; after it, one comes every 30 to 120 s (rounds.ts).
 * A peer whose HELLO differs from ours is asked for what it has in turn. What is new is spread at once
 * (spread.ts). With somebody who ceases to be a member every exchange ends at that moment.
 */
import type { MeshId, SiteId } from "../../../protocol/ids.ts";
import type { SyncHello } from "../../../protocol/messages/sync-message.ts";
import type { Clock } from "../../core/clock.ts";
import type { Channel, Transport } from "../../core/transport.ts";
import type { Logger } from "../../observe/log.ts";
import { SparingLog } from "../../observe/sparing-log.ts";
import type { NewItem, Replica } from "../replica.ts";
import { Asking } from "./asking.ts";
import { answerRound } from "./answer.ts";
import {
  answerHello,
  isEqual,
  objection,
  STATE_PROTOCOL,
  type Conversation,
} from "./conversation.ts";
import { Exchanges } from "./exchanges.ts";
import { Peer } from "./peer.ts";
import { answerPush, PushTally } from "./push.ts";
import { RecentItems } from "./recent-items.ts";
import { holdRound, type RoundOutcome } from "./round.ts";
import { Rounds } from "./rounds.ts";
import { Spread } from "./spread.ts";
import { SyncError } from "./sync-error.ts";
import { confirmAllOwn } from "./take-envelopes.ts";

/** Of the two ends of a new link, the one with the higher key begins its round so much later. */
const SECOND_MS = 1_000;
/** A peer that differs is asked in our turn when it has asked us, or at the latest after this. */
const OWN_TURN_MS = 2_000;
/** Exchanges of one use that a peer may have open with us: one may be ending as the next begins. */
const MAX_OPEN_EACH = 2;
/** Channels that it has opened without a word so far. */
const MAX_OPEN_NEW = 8;

export interface SyncOptions {
  readonly replica: Replica;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined before this site belongs to a mesh. */
  readonly meshId: () => MeshId | undefined;
  /** Whether a site is a member now. The answer changes with statements only. */
  readonly isMember: (site: SiteId) => boolean;
}

export interface PeerSync {
  readonly peer: SiteId;
  /** Age of the last comparison with it; undefined when there was none on this link. */
  readonly lastRoundAgeMs: number | undefined;
  /** Whether that comparison found, or ended with, equal state. */
  readonly digestEqual: boolean;
  /** Items of its that this node has refused since it started. */
  readonly refused: number;
}

/** Members that were asked, and those of them that answered in time. */
export interface AskedMembers {
  readonly asked: readonly SiteId[];
  readonly answered: readonly SiteId[];
}

export class Sync {
  readonly #replica: Replica;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #sparingLog: SparingLog;
  readonly #meshId: () => MeshId | undefined;
  readonly #isMember: (site: SiteId) => boolean;
  readonly #peers = new Map<SiteId, Peer>();
  readonly #recent = new RecentItems();
  readonly #rounds: Rounds;
  readonly #exchanges: Exchanges;
  readonly #spread: Spread;
  readonly #endings: (() => void)[] = [];
  #stopped = false;

  constructor(options: SyncOptions) {
    const { replica, transport, clock, log, meshId, isMember } = options;
    this.#replica = replica;
    this.#transport = transport;
    this.#clock = clock;
    this.#log = log;
    this.#sparingLog = new SparingLog(log, () => clock.monotonicMs());
    this.#meshId = meshId;
    this.#isMember = isMember;
    this.#rounds = new Rounds(clock, (peer) => this.#round(this.#peer(peer)));
    this.#exchanges = new Exchanges({ transport, replica, meshId, isMember });
    this.#spread = new Spread({
      replica,
      clock,
      exchanges: this.#exchanges,
      rounds: this.#rounds,
      recent: this.#recent,
      peers: () => this.#linked(),
      onFailure: (what, peer, error) => this.#note(what, peer, error),
    });
  }

  /** Serves members from now on. Once, and before links come up. */
  start(): void {
    this.#transport.handle(STATE_PROTOCOL, (channel) => this.#answer(channel));
    this.#endings.push(
      this.#transport.onLink((peer, up) => this.#onLink(peer, up)),
      this.#replica.onNew((item) => this.#onNew(item)),
    );
    for (const peer of this.#transport.links()) this.#onLink(peer, true);
  }

  /** Ends all exchanges at once. What is durable stays; the rest comes again. */
  stop(): void {
    this.#stopped = true;
    for (const end of this.#endings.splice(0)) end();
    this.#rounds.endAll();
    this.#exchanges.stop();
  }

  /** Linked members, sorted. */
  status(): readonly PeerSync[] {
    const nowMs = this.#clock.monotonicMs();
    return this.#linked()
      .map((peer) => ({
        peer: peer.id,
        lastRoundAgeMs: peer.comparedAtMs === undefined ? undefined : nowMs - peer.comparedAtMs,
        digestEqual: peer.digestEqual,
        refused: peer.refused,
      }))
      .toSorted((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  /**
   * Compares with every linked member now, so that what is decided next builds on what they know.
   * A member that does not answer within the time is left behind.
   */
  async askAll(timeoutMs: number): Promise<AskedMembers> {
    const linked = this.#linked();
    const answered: SiteId[] = [];
    const rounds = linked.map(async (peer) => {
      if ((await this.#round(peer)) !== undefined) answered.push(peer.id);
    });
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(timeoutMs, resolve);
      void Promise.all(rounds).then(() => (cancel(), resolve()));
    });
    return { asked: linked.map(({ id }) => id), answered: [...answered] };
  }

  #peer(id: SiteId): Peer {
    const peer = this.#peers.get(id) ?? new Peer(id, this.#clock);
    this.#peers.set(id, peer);
    return peer;
  }

  #linked(): Peer[] {
    return [...this.#peers.values()].filter(({ linked }) => linked);
  }

  #onLink(id: SiteId, up: boolean): void {
    const linked = up && this.#isMember(id);
    this.#peer(id).relink(linked);
    // One of the two begins, and often that is all: see `done`.
    if (linked) this.#rounds.begin(id, this.#transport.self < id ? 0 : SECOND_MS);
    else this.#rounds.end(id);
  }

  #onNew(item: NewItem): void {
    if (item.kind === "statement") this.#followMembership();
    this.#spread.tell(item);
  }

  /** The transport cuts the links of former members as well; this does not wait for it. */
  #followMembership(): void {
    this.#exchanges.endWithOthers();
    const links = new Set(this.#transport.links());
    for (const id of links) {
      if (this.#isMember(id) !== this.#peer(id).linked) this.#onLink(id, true);
    }
    for (const id of this.#peers.keys()) {
      if (!links.has(id) && !this.#isMember(id)) this.#peers.delete(id);
    }
  }

  async #round(peer: Peer): Promise<RoundOutcome | undefined> {
    let outcome: RoundOutcome | undefined;
    try {
      await this.#exchanges.hold(peer, "round", async (talk, ours) => {
        outcome = await this.#ask(talk, peer, ours);
      });
    } catch (error) {
      this.#note("A round failed", peer, error);
    }
    this.#spread.roundEnded(peer.id);
    if (outcome !== undefined) this.#noteRound(peer, outcome);
    return outcome;
  }

  async #ask(talk: Conversation, peer: Peer, ours: SyncHello): Promise<RoundOutcome> {
    const { self } = this.#transport;
    const theirs = await talk.hear("hello");
    if (isEqual(theirs, this.#replica)) confirmAllOwn(this.#replica, self, peer.id);
    if (ours.statements === theirs.statements && ours.state === theirs.state) {
      await talk.end();
      return { equal: true, statements: 0, envelopes: 0 };
    }
    const asking = new Asking(talk, this.#replica, this.#clock);
    try {
      return await holdRound(asking, self, this.#recent, theirs);
    } finally {
      this.#count(peer, asking.refused);
    }
  }

  #noteRound(peer: Peer, { equal, statements, envelopes }: RoundOutcome): void {
    peer.compared(equal, this.#clock.monotonicMs());
    if (statements + envelopes === 0) return;
    this.#log.debug("A round brought news", { peer: peer.id, statements, envelopes, equal });
  }

  async #answer(channel: Channel): Promise<void> {
    const peer = this.#peer(channel.peer);
    await this.#exchanges.use(channel, peer, async (talk) => {
      const hello = await this.#hearHello(talk, peer);
      const mesh = this.#meshId();
      const busy = peer.open[hello.use] >= MAX_OPEN_EACH;
      const refusal = objection(hello, mesh) ?? (busy ? "busy" : null);
      if (refusal !== null || mesh === undefined) {
        await talk.say({ v: 1, kind: "refusal", code: refusal ?? "mesh" });
        await talk.end();
        return;
      }
      peer.open[hello.use]++;
      try {
        if (hello.use === "round") await this.#answerRound(talk, peer, hello, mesh);
        else await this.#answerPush(talk, peer, hello);
      } finally {
        peer.open[hello.use]--;
      }
    });
  }

  async #hearHello(talk: Conversation, peer: Peer): Promise<SyncHello> {
    if (peer.open.new >= MAX_OPEN_NEW) {
      throw new SyncError("E-SYNC-BUSY", "The peer opens channels and says nothing.");
    }
    peer.open.new++;
    try {
      return await talk.hear("hello");
    } finally {
      peer.open.new--;
    }
  }

  async #answerRound(
    talk: Conversation,
    peer: Peer,
    hello: SyncHello,
    mesh: MeshId,
  ): Promise<void> {
    const equal = isEqual(hello, this.#replica);
    peer.compared(equal, this.#clock.monotonicMs());
    if (equal) {
      confirmAllOwn(this.#replica, this.#transport.self, peer.id);
      this.#rounds.settle(peer.id);
    } else this.#rounds.request(peer.id, OWN_TURN_MS);
    await talk.say(answerHello(hello, mesh, this.#replica));
    const tally = new PushTally(hello);
    const done = await answerRound(talk, this.#replica, this.#recent, tally).finally(() =>
      this.#count(peer, tally.refused),
    );
    if (done === undefined) {
      if (!peer.digestEqual) this.#rounds.request(peer.id, 0);
      return;
    }
    // The peer has now what it lacked. What we lack is ours to ask for.
    if (!isEqual(done, this.#replica)) return this.#rounds.request(peer.id, 0);
    peer.compared(true, this.#clock.monotonicMs());
    this.#rounds.settle(peer.id);
  }

  async #answerPush(talk: Conversation, peer: Peer, hello: SyncHello): Promise<void> {
    const tally = new PushTally(hello);
    await answerPush(talk, this.#replica, this.#recent, tally).finally(() => {
      if (tally.roundIsDue) this.#rounds.request(peer.id, 0);
      this.#count(peer, tally.refused);
    });
  }

  #count(peer: Peer, refused: number): void {
    if (refused === 0) return;
    peer.refused += refused;
    this.#sparingLog.warn(peer.id, "A peer sent what is not valid", () => ({
      ...{ peer: peer.id, refused, refusedSinceStart: peer.refused },
    }));
  }

  #note(what: string, peer: Peer, error: unknown): void {
    if (this.#stopped || !peer.linked) return;
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    this.#log.info(what, { peer: peer.id, code });
  }
}
