/**
 * A network in memory with the faults of a real one, all drawn from one seed.
 *
 * Links come and go, stand still in one direction or both (frames wait, as behind TCP) and go down
 * after 90 s of that; frames of different channels overtake one another, frames of one channel
 * never do. There is no loss within a channel, because a stream has none: what a bad line does is
 * delay, and cut, and what was under way then is lost.
 *
 * A box is what has a place in the network. Most are named as their site; a second box with the
 * key of a site has a name of its own, and each other box is linked to one of the two at a time.
 */
import type { Clock } from "../../daemon/core/clock.ts";
import type {
  Channel,
  ChannelHandler,
  LinkListener,
  ProtocolName,
  Transport,
} from "../../daemon/core/transport.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { FakeChannel, FakeTransportError, type Wire } from "./channel.ts";
import type { FakeTime } from "./clock.ts";
import { SeededRandom } from "./seeded-random.ts";

/** A link that nothing was heard on for so long is down; as the real mesh has it. */
const LIVENESS_MS = 90_000;

export interface FakeNetworkOptions {
  readonly time: FakeTime;
  readonly seed: number;
  /** Bounds of the time that a frame takes, in milliseconds. Default: 5 to 40. */
  readonly delayMs?: readonly [min: number, max: number];
  /** Bounds of the time until a link that may be is there again. Default: 10 to 2000 ms. */
  readonly relinkMs?: readonly [min: number, max: number];
  /** Which boxes dial one another at all. Default: all. */
  readonly dials?: (a: BoxName, b: BoxName) => boolean;
}

/** Its site, or its site and a mark. */
export type BoxName = SiteId | `${SiteId}#${string}`;

interface Link {
  readonly channels: Set<FakeChannel>;
  readonly thawed: (() => void)[];
  /** The boxes that frames of this link do not get to. */
  readonly cutOff: Set<BoxName>;
  /** Ends the watch for a standstill that lasts. */
  unwatch: () => void;
}

export class FakeNetwork {
  readonly #random: SeededRandom;
  readonly #clock: Clock;
  readonly #delayMs: readonly [number, number];
  readonly #relinkMs: readonly [number, number];
  readonly #dials: (a: BoxName, b: BoxName) => boolean;
  readonly #members = new Map<BoxName, FakeTransport>();
  readonly #links = new Map<string, Link>();
  /** Pairs that no link can be between; by name of the pair. */
  readonly #barred = new Set<string>();

  constructor(options: FakeNetworkOptions) {
    this.#random = new SeededRandom(options.seed);
    this.#clock = options.time.clock();
    this.#delayMs = options.delayMs ?? [5, 40];
    this.#dials = options.dials ?? (() => true);
    this.#relinkMs = options.relinkMs ?? [10, 2000];
  }

  /** A box comes up; links to it come about as after a dial, wherever none is barred. */
  join(self: SiteId, box: BoxName = self): FakeTransport {
    this.leave(box);
    const transport = new FakeTransport(self, box, this);
    this.#members.set(box, transport);
    for (const other of this.#members.keys()) if (other !== box) this.#dial(box, other);
    return transport;
  }

  /** A box goes down without a word. */
  leave(box: BoxName): void {
    if (!this.#members.has(box)) return;
    const linked = [...this.#members.keys()].filter((other) => this.linked(box, other));
    for (const other of linked) this.#drop(box, other);
    this.#members.delete(box);
    for (const other of linked) this.#dialDouble(other, box);
  }

  /** Cuts the link of two members; it comes back by itself unless it is barred. */
  cut(a: BoxName, b: BoxName): void {
    this.#drop(a, b);
    this.#dial(a, b);
    this.#dialDouble(a, b);
    this.#dialDouble(b, a);
  }

  /** No link between these two, now and until {@link allow}. */
  bar(a: BoxName, b: BoxName): void {
    this.#barred.add(pairName(a, b));
    this.#drop(a, b);
  }

  allow(a: BoxName, b: BoxName): void {
    this.#barred.delete(pairName(a, b));
    this.#dial(a, b);
  }

  /** Bars every link between members of the two groups. */
  partition(left: readonly BoxName[], right: readonly BoxName[]): void {
    for (const a of left) for (const b of right) this.bar(a, b);
  }

  /** Allows every link again. */
  heal(): void {
    this.#barred.clear();
    const members = [...this.#members.keys()];
    for (const a of members) for (const b of members) if (a < b) this.#dial(a, b);
  }

  /** Frames between the two stand still; the link goes down if that lasts 90 s. */
  freeze(a: BoxName, b: BoxName): void {
    this.freezeOneWay(a, b);
    this.freezeOneWay(b, a);
  }

  /** As {@link freeze}, but what `to` sends arrives: a line that carries in one direction only. */
  freezeOneWay(from: BoxName, to: BoxName): void {
    const link = this.#links.get(pairName(from, to));
    if (link === undefined || link.cutOff.has(to)) return;
    const isFirst = link.cutOff.size === 0;
    link.cutOff.add(to);
    if (!isFirst) return;
    link.unwatch = this.#clock.after(LIVENESS_MS, () => {
      if (this.#links.get(pairName(from, to)) === link) this.cut(from, to);
    });
  }

  thaw(a: BoxName, b: BoxName): void {
    const link = this.#links.get(pairName(a, b));
    if (link === undefined) return;
    link.cutOff.clear();
    link.unwatch();
    for (const callback of link.thawed.splice(0)) callback();
  }

  /** Hangs up on whom a member does not accept any more, and dials whom it does. */
  recheck(member: FakeTransport): void {
    if (this.#members.get(member.box) !== member) return;
    for (const [box, { self }] of this.#members) {
      const linked = this.linked(member.box, box);
      if (linked && !member.accepts(self)) this.#drop(member.box, box);
      else if (!linked && member.accepts(self)) this.#dial(member.box, box);
    }
  }

  linked(a: BoxName, b: BoxName): boolean {
    return this.#links.has(pairName(a, b));
  }

  linksOf(member: FakeTransport): readonly SiteId[] {
    if (this.#members.get(member.box) !== member) return [];
    return [...this.#members]
      .filter(([other]) => this.linked(member.box, other))
      .map(([, { self }]) => self)
      .toSorted();
  }

  /** @see Transport.open */
  async open(
    member: FakeTransport,
    to: SiteId,
    protocol: ProtocolName,
    timeoutMs: number,
  ): Promise<Channel> {
    const from = member.box;
    const answering = [...this.#members].find(
      ([box, { self }]) => self === to && this.linked(from, box),
    );
    const link = this.#links.get(pairName(from, answering?.[0] ?? to));
    if (answering === undefined || link === undefined || this.#members.get(from) !== member)
      throw new FakeTransportError("E-FAKE-LINK", `${to} is not linked.`);
    const wireTo = (receiver: BoxName): Wire => ({
      clock: this.#clock,
      delayMs: () => this.#random.between(...this.#delayMs),
      frozen: () => link.cutOff.has(receiver),
      onThaw: (callback) => void link.thawed.push(callback),
      forget: (end) => link.channels.delete(end),
    });
    const [box, answerer] = answering;
    const [ours, theirs] = FakeChannel.pair(member.self, to, wireTo(box), wireTo(from));
    link.channels.add(ours).add(theirs);
    // Agreeing on the protocol takes a round trip: the name, and the peer's yes or no.
    await ours.send(Buffer.from(protocol));
    const asked = theirs.receive(timeoutMs).then(async () => {
      const handler = answerer.handlerOf(protocol);
      await theirs.send(Buffer.from(handler === undefined ? "no" : "yes"));
      if (handler !== undefined) this.#serve(handler, theirs);
    });
    asked.catch(() => {});
    const answer = await ours.receive(timeoutMs).catch((error: unknown) => {
      ours.abort("the peer did not answer");
      throw error;
    });
    if (Buffer.from(answer ?? []).toString() !== "yes") {
      ours.abort("no such protocol");
      throw new FakeTransportError("E-FAKE-PROTOCOL", `${to} does not speak ${protocol}.`);
    }
    return ours;
  }

  #serve(handler: ChannelHandler, channel: FakeChannel): void {
    handler(channel).catch((error: unknown) => channel.abort(String(error)));
  }

  /** Another box with the key of `gone` may be linked now. */
  #dialDouble(from: BoxName, gone: BoxName): void {
    const site = siteOf(gone);
    for (const box of this.#members.keys()) {
      if (box !== gone && siteOf(box) === site) this.#dial(from, box);
    }
  }

  #dial(a: BoxName, b: BoxName): void {
    if (!this.#dials(a, b)) return;
    this.#clock.after(this.#random.between(...this.#relinkMs), () => {
      const name = pairName(a, b);
      const [atA, atB] = [this.#members.get(a), this.#members.get(b)];
      if (atA === undefined || atB === undefined || atA.self === atB.self) return;
      if (!atA.accepts(atB.self) || !atB.accepts(atA.self)) return;
      if (this.#barred.has(name) || atA.links().includes(atB.self)) return;
      if (atB.links().includes(atA.self)) return;
      this.#links.set(name, {
        channels: new Set(),
        thawed: [],
        cutOff: new Set(),
        unwatch: () => {},
      });
      const ends = [[atA, atB] as const, [atB, atA] as const];
      for (const [member, peer] of this.#random.shuffled(ends)) member.tell(peer.self, true);
    });
  }

  #drop(a: BoxName, b: BoxName): void {
    const name = pairName(a, b);
    const link = this.#links.get(name);
    if (link === undefined) return;
    this.#links.delete(name);
    link.unwatch();
    for (const channel of link.channels) channel.fail("the link was cut");
    this.#members.get(a)?.tell(siteOf(b), false);
    this.#members.get(b)?.tell(siteOf(a), false);
  }
}

function pairName(a: BoxName, b: BoxName): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function siteOf(box: BoxName): SiteId {
  return box.split("#", 1)[0] as SiteId;
}

/** The transport of one box of a {@link FakeNetwork}. */
export class FakeTransport implements Transport {
  readonly self: SiteId;
  readonly box: BoxName;
  /** Whether a peer may be linked at all, as the gate of the real mesh decides; see `recheck`. */
  accepts: (peer: SiteId) => boolean = () => true;
  readonly #network: FakeNetwork;
  readonly #handlers = new Map<ProtocolName, ChannelHandler>();
  readonly #listeners = new Set<LinkListener>();

  constructor(self: SiteId, box: BoxName, network: FakeNetwork) {
    this.self = self;
    this.box = box;
    this.#network = network;
  }

  links(): readonly SiteId[] {
    return this.#network.linksOf(this);
  }

  open(peer: SiteId, protocol: ProtocolName, timeoutMs: number): Promise<Channel> {
    return this.#network.open(this, peer, protocol, timeoutMs);
  }

  handle(protocol: ProtocolName, handler: ChannelHandler): void {
    if (this.#handlers.has(protocol)) throw new RangeError(`two handlers of ${protocol}`);
    this.#handlers.set(protocol, handler);
  }

  onLink(listener: LinkListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Call when {@link accepts} would answer otherwise now. */
  recheck(): void {
    this.#network.recheck(this);
  }

  handlerOf(protocol: ProtocolName): ChannelHandler | undefined {
    return this.#handlers.get(protocol);
  }

  tell(peer: SiteId, up: boolean): void {
    for (const listener of this.#listeners) listener(peer, up);
  }
}
