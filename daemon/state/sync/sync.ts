/**
 * Keeps the state of linked members equal, over `/pleach/state/1`.
 *
 * - Each new link starts a round at once; after it, one comes every 30 to 120 s (rounds.ts).
 * - What this site makes is pushed to all linked members at once. What came by push is passed on
 *   once, to those not known to hold it; what came in a round is told by a short round with the
 *   others, so that a long-lost part of the mesh is fetched, not poured out.
 * - A peer whose HELLO differs from ours is asked for what it has in turn.
 */
import type { MeshId, SiteId } from "../../../protocol/ids.ts";
import type { SyncHello } from "../../../protocol/sync-message.ts";
import type { Clock } from "../../core/clock.ts";
import type { Channel, Transport } from "../../core/transport.ts";
import type { Logger } from "../../observe/log.ts";
import { SparingLog } from "../../observe/sparing-log.ts";
import type { NewItem, Replica } from "../replica.ts";
import { Asking } from "./asking.ts";
import { answerRound } from "./answer.ts";
import {
  answerHello,
  Conversation,
  isEqual,
  makeHello,
  objection,
  STATE_PROTOCOL,
} from "./conversation.ts";
import { Peer } from "./peer.ts";
import { answerPush, PushTally, sendPush, type PushItem } from "./push.ts";
import { RecentItems } from "./recent-items.ts";
import { holdRound, type RoundOutcome } from "./round.ts";
import { Rounds } from "./rounds.ts";
import { SyncError } from "./sync-error.ts";
import { confirmAllOwn } from "./take-envelopes.ts";

const OPEN_TIMEOUT_MS = 20_000;
/** What came by push waits at most so long before it goes on: often it turns up from all sides. */
const PASS_ON_MS = 100;
/** Longer items, which are rare, are not passed on: the others are told, and fetch them once. */
const PASS_ON_MAX_BYTES = 16 * 1024;
/** Bounds of the time until the others are told that a round brought news. */
const TELL_MS = [200, 1_000] as const;
/** Of the two ends of a new link, the one with the higher key begins its round so much later. */
const SECOND_MS = 1_000;
/** A peer that differs is asked in our turn when it has asked us, or at the latest after this. */
const OWN_TURN_MS = 2_000;
/** Exchanges of one use that a peer may have open with us: one may be ending as the next begins. */
const MAX_OPEN_EACH = 2;

export interface SyncOptions {
  readonly replica: Replica;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined before this site belongs to a mesh. */
  readonly meshId: () => MeshId | undefined;
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
  readonly #peers = new Map<SiteId, Peer>();
  readonly #recent = new RecentItems();
  readonly #rounds: Rounds;
  readonly #channels = new Set<Channel>();
  /** Peers that a round brought something from which the others do not know of yet. */
  readonly #newsFrom = new Set<SiteId>();
  readonly #endings: (() => void)[] = [];
  #stopped = false;

  constructor(options: SyncOptions) {
    this.#replica = options.replica;
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#sparingLog = new SparingLog(options.log, () => options.clock.monotonicMs());
    this.#meshId = options.meshId;
    this.#rounds = new Rounds(options.clock, (peer) => this.#round(this.#peer(peer)));
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
    for (const channel of this.#channels) channel.abort("this node stops");
  }

  /** Linked members, sorted. */
  status(): readonly PeerSync[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#peers.values()]
      .filter(({ linked }) => linked)
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
    const linked = [...this.#peers.values()].filter((peer) => peer.linked);
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

  #onLink(id: SiteId, up: boolean): void {
    this.#peer(id).relink(up);
    // One of the two begins, and often that is all: see `done`.
    if (up) this.#rounds.begin(id, this.#transport.self < id ? 0 : SECOND_MS);
    else this.#rounds.end(id);
  }

  #onNew(item: NewItem): void {
    const recent = this.#recent.of(item.bytes);
    recent.stored = true;
    const push: PushItem = { kind: item.kind, bytes: item.bytes, at: item.at, recent };
    if (item.from === undefined) this.#pushToAll(push);
    else if (!recent.pushed) this.#newsFrom.add(item.from);
    else if (item.bytes.length > PASS_ON_MAX_BYTES) this.#tellOthers(item.from);
    else this.#clock.after(this.#chance(0, PASS_ON_MS), () => this.#pushToAll(push));
  }

  #tellOthers(source: SiteId): void {
    for (const { id, linked } of this.#peers.values()) {
      if (linked && id !== source) this.#rounds.request(id, this.#chance(...TELL_MS));
    }
  }

  #pushToAll(item: PushItem): void {
    for (const peer of this.#peers.values()) {
      if (!peer.linked || item.recent.holders.has(peer.id)) continue;
      // Who is behind by more than a queue sees so in the HELLO of our round, and comes for it.
      if (!peer.queue.add(item)) this.#rounds.request(peer.id, 0);
      this.#push(peer);
    }
  }

  #push(peer: Peer): void {
    if (peer.pushRuns || peer.queue.isEmpty || !peer.linked || this.#stopped) return;
    peer.pushRuns = true;
    // What is written in one go leaves in one frame.
    queueMicrotask(() => void this.#pushQueued(peer));
  }

  async #pushQueued(peer: Peer): Promise<void> {
    const next = (): PushItem[] => peer.queue.take(({ recent }) => recent.holders.has(peer.id));
    let items = next();
    try {
      if (items.length > 0) {
        await this.#converse(peer, "push", async (talk) => {
          for (; items.length > 0; items = next()) await sendPush(talk, this.#replica, items);
          await talk.end();
        });
      }
    } catch (error) {
      this.#note("A push failed", peer, error);
      peer.queue.clear();
      this.#rounds.request(peer.id, 0);
    }
    peer.pushRuns = false;
    this.#push(peer);
  }

  async #round(peer: Peer): Promise<RoundOutcome | undefined> {
    let outcome: RoundOutcome | undefined;
    try {
      await this.#converse(peer, "round", async (talk, ours) => {
        const theirs = await talk.hear("hello");
        if (isEqual(theirs, this.#replica))
          confirmAllOwn(this.#replica, this.#transport.self, peer.id);
        if (ours.statements === theirs.statements && ours.state === theirs.state) {
          outcome = { equal: true, statements: 0, envelopes: 0 };
          await talk.end();
        } else {
          const asking = new Asking(talk, this.#replica, this.#clock);
          try {
            outcome = await holdRound(asking, this.#transport.self, this.#recent, theirs);
          } finally {
            this.#count(peer, asking.refused);
          }
        }
      });
    } catch (error) {
      this.#note("A round failed", peer, error);
    }
    if (this.#newsFrom.delete(peer.id)) this.#tellOthers(peer.id);
    if (outcome !== undefined) this.#noteRound(peer, outcome);
    return outcome;
  }

  #noteRound(peer: Peer, { equal, statements, envelopes }: RoundOutcome): void {
    peer.compared(equal, this.#clock.monotonicMs());
    if (statements + envelopes === 0) return;
    this.#log.debug("A round brought news", { peer: peer.id, statements, envelopes, equal });
  }

  async #converse(
    peer: Peer,
    use: SyncHello["use"],
    tell: (talk: Conversation, hello: SyncHello) => Promise<void>,
  ): Promise<void> {
    const mesh = this.#meshId();
    if (mesh === undefined) return;
    const channel = await this.#transport.open(peer.id, STATE_PROTOCOL, OPEN_TIMEOUT_MS);
    await this.#using(channel, peer, async (talk) => {
      const hello = makeHello(use, mesh, this.#replica);
      await talk.say(hello);
      await tell(talk, hello);
    });
  }

  async #answer(channel: Channel): Promise<void> {
    const peer = this.#peer(channel.peer);
    await this.#using(channel, peer, async (talk) => {
      const hello = await talk.hear("hello");
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
        else await this.#answerPush(talk, peer);
      } finally {
        peer.open[hello.use]--;
      }
    });
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
    const tally = new PushTally();
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

  async #answerPush(talk: Conversation, peer: Peer): Promise<void> {
    const tally = new PushTally();
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

  async #using(
    channel: Channel,
    peer: Peer,
    act: (talk: Conversation) => Promise<void>,
  ): Promise<void> {
    this.#channels.add(channel);
    try {
      if (this.#stopped) throw new SyncError("E-SYNC-STOPPED", "This node stops.");
      await act(new Conversation(channel, peer.pace));
    } catch (error) {
      channel.abort(error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      this.#channels.delete(channel);
    }
  }

  #note(what: string, peer: Peer, error: unknown): void {
    if (this.#stopped || !peer.linked) return;
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    this.#log.info(what, { peer: peer.id, code });
  }

  #chance(min: number, max: number): number {
    const [high = 0, low = 0] = this.#clock.random(2);
    return min + ((high * 256 + low) / 65_536) * (max - min);
  }
}
