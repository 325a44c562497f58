/**
 * A network in memory with the faults of a real one, all drawn from one seed.
 *
 * Links come and go, stand still (frames wait, as behind TCP) and go down after 90 s of that;
 * frames of different channels overtake one another, frames of one channel never do. There is no
 * loss within a channel, because a stream has none: what a bad line does is delay, and cut.
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
}

interface Link {
  readonly channels: Set<FakeChannel>;
  readonly thawed: (() => void)[];
  frozen: boolean;
  /** Ends the watch for a standstill that lasts. */
  unwatch: () => void;
}

export class FakeNetwork {
  readonly #random: SeededRandom;
  readonly #clock: Clock;
  readonly #delayMs: readonly [number, number];
  readonly #relinkMs: readonly [number, number];
  readonly #members = new Map<SiteId, FakeTransport>();
  readonly #links = new Map<string, Link>();
  /** Pairs that no link can be between; by name of the pair. */
  readonly #barred = new Set<string>();

  constructor(options: FakeNetworkOptions) {
    this.#random = new SeededRandom(options.seed);
    this.#clock = options.time.clock();
    this.#delayMs = options.delayMs ?? [5, 40];
    this.#relinkMs = options.relinkMs ?? [10, 2000];
  }

  /** A member comes up; links to it come about as after a dial, wherever none is barred. */
  join(self: SiteId): FakeTransport {
    this.leave(self);
    const transport = new FakeTransport(self, this);
    this.#members.set(self, transport);
    for (const other of this.#members.keys()) if (other !== self) this.#dial(self, other);
    return transport;
  }

  /** A member goes down without a word. */
  leave(self: SiteId): void {
    if (!this.#members.has(self)) return;
    for (const other of this.#members.keys()) this.#drop(self, other);
    this.#members.delete(self);
  }

  /** Cuts the link of two members; it comes back by itself unless it is barred. */
  cut(a: SiteId, b: SiteId): void {
    this.#drop(a, b);
    this.#dial(a, b);
  }

  /** No link between these two, now and until {@link allow}. */
  bar(a: SiteId, b: SiteId): void {
    this.#barred.add(pairName(a, b));
    this.#drop(a, b);
  }

  allow(a: SiteId, b: SiteId): void {
    this.#barred.delete(pairName(a, b));
    this.#dial(a, b);
  }

  /** Bars every link between members of the two groups. */
  partition(left: readonly SiteId[], right: readonly SiteId[]): void {
    for (const a of left) for (const b of right) this.bar(a, b);
  }

  /** Allows every link again. */
  heal(): void {
    this.#barred.clear();
    const members = [...this.#members.keys()];
    for (const a of members) for (const b of members) if (a < b) this.#dial(a, b);
  }

  /** Frames between the two stand still; the link goes down if that lasts 90 s. */
  freeze(a: SiteId, b: SiteId): void {
    const link = this.#links.get(pairName(a, b));
    if (link === undefined || link.frozen) return;
    link.frozen = true;
    link.unwatch = this.#clock.after(LIVENESS_MS, () => {
      if (this.#links.get(pairName(a, b)) === link) this.cut(a, b);
    });
  }

  thaw(a: SiteId, b: SiteId): void {
    const link = this.#links.get(pairName(a, b));
    if (link === undefined) return;
    link.frozen = false;
    link.unwatch();
    for (const callback of link.thawed.splice(0)) callback();
  }

  linked(a: SiteId, b: SiteId): boolean {
    return this.#links.has(pairName(a, b));
  }

  linksOf(member: FakeTransport): readonly SiteId[] {
    if (this.#members.get(member.self) !== member) return [];
    return [...this.#members.keys()].filter((other) => this.linked(member.self, other)).toSorted();
  }

  /** @see Transport.open */
  async open(
    member: FakeTransport,
    to: SiteId,
    protocol: ProtocolName,
    timeoutMs: number,
  ): Promise<Channel> {
    const from = member.self;
    const link = this.#links.get(pairName(from, to));
    if (link === undefined || this.#members.get(from) !== member)
      throw new FakeTransportError("E-FAKE-LINK", `${to} is not linked.`);
    const wire: Wire = {
      clock: this.#clock,
      delayMs: () => this.#random.between(...this.#delayMs),
      frozen: () => link.frozen,
      onThaw: (callback) => void link.thawed.push(callback),
      forget: (end) => link.channels.delete(end),
    };
    const [ours, theirs] = FakeChannel.pair(from, to, wire);
    link.channels.add(ours).add(theirs);
    // Agreeing on the protocol takes a round trip: the name, and the peer's yes or no.
    await ours.send(Buffer.from(protocol));
    const asked = theirs.receive(timeoutMs).then(async () => {
      const handler = this.#members.get(to)?.handlerOf(protocol);
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

  #dial(a: SiteId, b: SiteId): void {
    this.#clock.after(this.#random.between(...this.#relinkMs), () => {
      const name = pairName(a, b);
      const [atA, atB] = [this.#members.get(a), this.#members.get(b)];
      if (a === b || atA === undefined || atB === undefined) return;
      if (this.#barred.has(name) || this.#links.has(name)) return;
      this.#links.set(name, { channels: new Set(), thawed: [], frozen: false, unwatch: () => {} });
      for (const [member, peer] of this.#random.shuffled([[atA, b] as const, [atB, a] as const])) {
        member.tell(peer, true);
      }
    });
  }

  #drop(a: SiteId, b: SiteId): void {
    const name = pairName(a, b);
    const link = this.#links.get(name);
    if (link === undefined) return;
    this.#links.delete(name);
    for (const channel of link.channels) channel.fail("the link was cut");
    this.#members.get(a)?.tell(b, false);
    this.#members.get(b)?.tell(a, false);
  }
}

function pairName(a: SiteId, b: SiteId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** The transport of one member of a {@link FakeNetwork}. */
export class FakeTransport implements Transport {
  readonly self: SiteId;
  readonly #network: FakeNetwork;
  readonly #handlers = new Map<ProtocolName, ChannelHandler>();
  readonly #listeners = new Set<LinkListener>();

  constructor(self: SiteId, network: FakeNetwork) {
    this.self = self;
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

  handlerOf(protocol: ProtocolName): ChannelHandler | undefined {
    return this.#handlers.get(protocol);
  }

  tell(peer: SiteId, up: boolean): void {
    for (const listener of this.#listeners) listener(peer, up);
  }
}
