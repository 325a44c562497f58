/**
 * The mesh: links between members, channels over them, and the two narrow doors for outsiders.
 *
 * It keeps links with the roster it is given and tells who is linked. Who is a member it asks its
 * port; what is said over a channel is the business of whoever handles the protocol.
 */
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { HELLO_PROTOCOL, type Hello } from "../../protocol/hello-message.ts";
import { idOf, toHex, type PeerKey, type SiteId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/signature.ts";
import type { Clock } from "../core/clock.ts";
import type {
  Channel,
  ChannelHandler,
  LinkListener,
  ProtocolName,
  Transport,
} from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";
import { BulkBudget } from "./bulk-budget.ts";
import { withDeadline } from "./deadline.ts";
import { Dialer } from "./dialer.ts";
import { findAddresses, findProviders, provide } from "./directory.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { MeshError } from "./error.ts";
import { FrameChannel, type Tap } from "./frame-channel.ts";
import { answerGreeting, greet } from "./greeting.ts";
import { Guard, type Wire } from "./guard.ts";
import { LinkTable } from "./link-table.ts";
import {
  admissionOf,
  type Membership,
  type OutsiderProtocol,
  type RosterEntry,
} from "./membership.ts";
import { DIAL_TIMEOUT_MS, startNode, type MeshNode } from "./node.ts";
import { memberAddress, namedAddress, peerIdOf, peerKeyOf } from "./peer-id.ts";
import { verdict, WATCH_EVERY_MS } from "./watch.ts";

/** These carry shards; both ends must know it, for bulk is acknowledged (see bulk-budget.ts). */
const BULK_PROTOCOLS: ReadonlySet<string> = new Set<ProtocolName>([
  "/pleach/shard/1",
  "/pleach/recover/1",
]);
/** Streams of one protocol that one peer may have open here at once, and we there. */
const MAX_INBOUND_STREAMS = 32;
const MAX_OUTBOUND_STREAMS = 64;
/** After its handler is done, a channel has so long to be ended by the peer. */
const LINGER_MS = 30_000;
/** Every so many failed tries the directory is asked where a member went. */
const ASK_DIRECTORY_EVERY = 4;
const STOP_MS = 5_000;

export interface MeshOptions {
  /** The site's key; of a box that recovers, its recovery key. */
  readonly siteKey: SigningKey;
  /** Multiaddrs such as `/ip4/0.0.0.0/tcp/4901`; port 0 takes any free one. */
  readonly listen: readonly string[];
  /** Multiaddrs to tell others instead of what the interfaces show; usually empty. */
  readonly announce: readonly string[];
  /** Whether to take part in kad-dht among the members. */
  readonly dht: boolean;
  readonly membership: Membership;
  readonly clock: Clock;
  readonly log: Logger;
  /** Version of the program, told to peers for display. Default: empty. */
  readonly version?: string;
  /** Sees the bytes that go to libp2p before they are encrypted. Default: nobody does. */
  readonly tap?: Tap;
}

export interface LinkDetail {
  readonly peer: SiteId;
  /** Who dialled: "outbound" is us. */
  readonly direction: "inbound" | "outbound";
  readonly address: string;
  /** Wall time. */
  readonly sinceMs: number;
  readonly rttMs: number | undefined;
}

export type OutsiderHandler = (channel: Channel<PeerKey>) => Promise<void>;

export class Mesh implements Transport {
  readonly self: SiteId;
  readonly #options: MeshOptions;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #doorkeeper: Doorkeeper;
  readonly #guard: Guard;
  readonly #links: LinkTable;
  readonly #dialer: Dialer;
  readonly #instance: string;
  readonly #outsiderHandlers = new Map<OutsiderProtocol, OutsiderHandler>();
  readonly #budgets = new WeakMap<Connection, BulkBudget>();
  /** Since when a connection carries no stream, on the monotonic clock. */
  readonly #idleSinceMs = new WeakMap<Connection, number>();
  /** The hello that is under way or done, for each connection that we dialled. */
  readonly #greetings = new WeakMap<Connection, Promise<void>>();
  #node: MeshNode | undefined;
  #stopped = false;

  private constructor(options: MeshOptions) {
    const { clock, membership } = options;
    this.#options = options;
    this.#clock = clock;
    this.#log = options.log.part("mesh");
    this.self = idOf<SiteId>(options.siteKey.publicKey);
    this.#instance = toHex(clock.random(16));
    this.#doorkeeper = new Doorkeeper(clock, membership);
    this.#links = new LinkTable(this.self, clock);
    this.#guard = new Guard(clock, {
      admit: (key, direction) => {
        if (direction === "inbound") return admissionOf(membership, key);
        return membership.isMember(key) ? "member" : "dialled";
      },
      openTo: (wire) => this.#openTo(wire),
      serve: (wire, protocol, stream) => this.#serveOutsider(wire, protocol, stream),
    });
    this.#dialer = new Dialer(this.self, clock, this.#log, {
      isLinked: (site) => this.#links.get(site) !== undefined,
      dial: (site, addresses, attempt) => this.#dial(site, addresses, attempt),
    });
    this.#links.onLink((peer, isUp) => {
      this.#log.info(isUp ? "link is up" : "link is down", { peer });
      this.#dialer.linkChanged(peer, isUp);
    });
  }

  /**
   * Listens. Set handlers in the same turn in which this resolves.
   *
   * @throws MeshError (E-MESH-ADDRESS) for an address that cannot be read, (E-MESH-LISTEN) when it
   * cannot listen.
   */
  static async start(options: MeshOptions): Promise<Mesh> {
    for (const text of [...options.listen, ...options.announce]) checkAddress(text);
    const mesh = new Mesh(options);
    const node = await startNode({
      ...options,
      guard: mesh.#guard,
      doorkeeper: mesh.#doorkeeper,
    });
    mesh.#node = node;
    node.addEventListener("connection:open", (event) => mesh.#opened(event.detail));
    node.addEventListener("connection:close", (event) => mesh.#closed(event.detail));
    await mesh.#register(HELLO_PROTOCOL, (channel, connection) =>
      mesh.#answerHello(channel, connection),
    );
    mesh.#watch();
    return mesh;
  }

  links(): readonly SiteId[] {
    return this.#links.peers();
  }

  linkDetails(): readonly LinkDetail[] {
    const sinceStartMs = this.#clock.monotonicMs();
    const nowMs = this.#clock.wallMs();
    return this.#links.links().map(({ peer, connection, sinceMs }) => ({
      peer,
      direction: connection.direction,
      address: connection.remoteAddr.toString(),
      sinceMs: nowMs - (sinceStartMs - sinceMs),
      rttMs: this.#guard.wireOf(connection)?.roundTripMs(),
    }));
  }

  onLink(listener: LinkListener): () => void {
    return this.#links.onLink(listener);
  }

  async open(peer: SiteId, protocol: ProtocolName, timeoutMs: number): Promise<Channel> {
    const link = this.#links.get(peer);
    if (link === undefined) throw new MeshError("E-MESH-UNREACHABLE", `${peer} is not linked.`);
    return this.#openOn(link.connection, peer, protocol, timeoutMs);
  }

  handle(protocol: ProtocolName, handler: ChannelHandler): void {
    this.#register(protocol, async (channel, connection) => {
      if (!this.#links.has(connection)) throw new MeshError("E-MESH-FORM", "No hello was said.");
      await handler(channel);
    }).catch((error: unknown) => this.#log.error("handler", { protocol, why: String(error) }));
  }

  /** Replaces the members to keep links with. Their addresses get places of their own. */
  setRoster(entries: readonly RosterEntry[]): void {
    const addresses = entries.flatMap(({ siteId, addresses: texts }) =>
      texts.map((text) => memberAddress(text, siteId)).filter((each) => each !== undefined),
    );
    this.#doorkeeper.expectFrom(addresses);
    this.#dialer.setRoster(entries);
  }

  /** Cuts whoever may not be connected any more, at once, and tries the others anew. */
  membershipChanged(): void {
    const { membership } = this.#options;
    for (const connection of this.#connections()) {
      const wire = this.#guard.wireOf(connection);
      const isMember = wire !== undefined && membership.isMember(wire.key);
      const wasMember = wire?.admission === "member";
      const wasRecovery = wire?.admission === "recovery";
      if (
        (wasMember && !isMember) ||
        (wasRecovery && !isMember && !membership.isRecoveryKey(wire.key))
      ) {
        connection.abort(new Error("the peer is no member any more"));
      }
    }
    this.#dialer.wake();
  }

  /** Where others can reach this node, as multiaddrs that name it. */
  addresses(): readonly string[] {
    const all = this.#started().getMultiaddrs();
    const texts = all.map((address) => address.toString());
    const outside = texts.filter((text) => !/^\/(?:ip4\/127\.|ip6\/::1\/)/.test(text));
    return outside.length > 0 ? outside : texts;
  }

  /** Serves a protocol to outsiders, under the conditions of `Membership`, and to members as well. */
  handleOutsider(protocol: OutsiderProtocol, handler: OutsiderHandler): void {
    this.#outsiderHandlers.set(protocol, handler);
    // Who was just admitted still asks over the join protocol for all that it has to know.
    if (protocol !== "/pleach/join/1") return;
    this.#register(protocol, (channel) => handler(channel)).catch((error: unknown) =>
      this.#log.error("handler", { protocol, why: String(error) }),
    );
  }

  /**
   * Dials somebody who need not be a fellow member, and opens the one protocol there.
   *
   * @param address - A multiaddr that names its peer (`/p2p/…`); nobody else is spoken to.
   * @throws MeshError (E-MESH-ADDRESS), or (E-MESH-UNREACHABLE) when nobody answers there or the
   * node there does not let us in, or (E-MESH-TIMEOUT).
   */
  async openOutsider(
    address: string,
    protocol: OutsiderProtocol,
    timeoutMs: number,
  ): Promise<Channel<PeerKey>> {
    const target = namedAddress(address);
    const startedMs = this.#clock.monotonicMs();
    const connection = await this.#doorkeeper.wanting(target.key, () =>
      withDeadline(this.#clock, timeoutMs, `Dialling ${address}`, (signal) =>
        this.#started().dial(target.address, { signal }),
      ).catch((cause: unknown) => {
        throw unreachable(`Nobody lets us in at ${address}.`, cause);
      }),
    );
    const leftMs = Math.max(1, timeoutMs - (this.#clock.monotonicMs() - startedMs));
    const channel = await this.#openOn(connection, target.key, protocol, leftMs);
    void channel.whenClosed().then(() => this.#closeIfUnused(connection));
    return channel;
  }

  /** "off" makes {@link provide} do nothing and {@link findProviders} find nothing. */
  get directory(): "on" | "off" {
    return this.#options.dht ? "on" : "off";
  }

  /**
   * Says in the directory that this site has something under the key (32 bytes).
   *
   * @throws MeshError (E-MESH-DIRECTORY) when no other node took the record: say it again later.
   */
  async provide(key: Uint8Array): Promise<void> {
    if (this.#options.dht) await provide(this.#started(), this.#clock, key);
  }

  /** Members that say so. A hint; whoever is asked has to prove what it has. */
  async findProviders(key: Uint8Array, timeoutMs: number): Promise<readonly SiteId[]> {
    if (!this.#options.dht) return [];
    const found = await findProviders(this.#started(), this.#clock, key, timeoutMs);
    const { membership } = this.#options;
    return found.filter((peer): peer is SiteId => peer !== this.self && membership.isMember(peer));
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#dialer.stop();
    const node = this.#started();
    await withDeadline(this.#clock, STOP_MS, "Closing links", async () => node.stop()).catch(
      (error: unknown) =>
        this.#log.warn("stopped before all links had closed", { why: String(error) }),
    );
  }

  #started(): MeshNode {
    if (this.#node === undefined) throw new RangeError("used before it was started");
    return this.#node;
  }

  #connections(): readonly Connection[] {
    return this.#node?.getConnections() ?? [];
  }

  // --- connections -----------------------------------------------------------------------------

  #opened(connection: Connection): void {
    this.#idleSinceMs.set(connection, this.#clock.monotonicMs());
    const wire = this.#guard.wireOf(connection);
    if (wire === undefined) connection.abort(new Error("unguarded"));
    else if (wire.admission === "member" && connection.direction === "outbound") {
      const greeting = this.#greet(connection, wire.key as SiteId);
      greeting.catch((error: unknown) => {
        this.#log.debug("no hello", { peer: wire.key, why: String(error) });
        connection.abort(new Error("no hello"));
      });
      this.#greetings.set(connection, greeting);
    }
  }

  #closed(connection: Connection): void {
    this.#budgets.get(connection)?.close(new MeshError("E-MESH-GONE", "The link is gone."));
    this.#links.down(connection);
  }

  async #dial(site: SiteId, addresses: readonly string[], attempt: number): Promise<void> {
    const node = this.#started();
    if (!this.#options.membership.isMember(site)) {
      throw new MeshError("E-MESH-UNREACHABLE", "not known as a member here");
    }
    await withDeadline(this.#clock, DIAL_TIMEOUT_MS + 5_000, "Dialling", async (signal) => {
      const texts =
        this.#options.dht && (attempt + 1) % ASK_DIRECTORY_EVERY === 0
          ? await findAddresses(node, peerIdOf(site), signal)
          : addresses;
      const usable = texts
        .map((text) => memberAddress(text, site))
        .filter((address) => address !== undefined);
      if (usable.length === 0) throw new MeshError("E-MESH-ADDRESS", "no usable address");
      const connection = await node.dial(usable, { signal });
      await this.#greetings.get(connection);
    });
  }

  /** Our half of the hello, on a connection that we dialled. */
  async #greet(connection: Connection, peer: SiteId): Promise<void> {
    const own = this.#hello();
    const channel = await this.#openOn(connection, peer, HELLO_PROTOCOL, 10_000);
    try {
      this.#linkUp(connection, peer, await greet(channel, own));
    } catch (error) {
      channel.abort("no hello");
      throw error;
    }
  }

  async #answerHello(channel: FrameChannel<SiteId>, connection: Connection): Promise<void> {
    await answerGreeting(channel, this.#hello(), (hello) =>
      this.#linkUp(connection, channel.peer, hello),
    );
  }

  #hello(): Hello {
    const mesh = this.#options.membership.meshId();
    if (mesh === undefined) throw new MeshError("E-MESH-UNREACHABLE", "This node is in no mesh.");
    return {
      mesh,
      instance: this.#instance,
      version: (this.#options.version ?? "").slice(0, 64),
      addresses: this.addresses()
        .filter((text) => text.length <= 256)
        .slice(0, 16),
    };
  }

  #linkUp(connection: Connection, peer: SiteId, hello: Hello): void {
    if (connection.status !== "open" || !this.#options.membership.isMember(peer)) return;
    const sinceMs = this.#clock.monotonicMs();
    this.#links.up({ peer, connection, instance: hello.instance, sinceMs });
    // The directory learns from this that the member takes part in it, and where it is.
    this.#identify(connection).catch((error: unknown) =>
      this.#log.debug("not identified", { peer, why: String(error) }),
    );
  }

  async #identify(connection: Connection): Promise<void> {
    await withDeadline(this.#clock, 10_000, "Identify", (signal) =>
      this.#started().services.identify.identify(connection, { signal }),
    );
  }

  /** Looks after the connections every few seconds, for as long as the mesh runs. */
  #watch(): void {
    if (this.#stopped) return;
    const nowMs = this.#clock.monotonicMs();
    for (const connection of this.#connections()) {
      const wire = this.#guard.wireOf(connection);
      if (wire === undefined) continue;
      const streams = connection.streams.length;
      if (streams > 0) this.#idleSinceMs.delete(connection);
      else if (!this.#idleSinceMs.has(connection)) this.#idleSinceMs.set(connection, nowMs);
      const why = verdict(
        {
          admission: wire.admission,
          linked: this.#links.has(connection),
          streams,
          heardAtMs: wire.heardAtMs,
          idleSinceMs: this.#idleSinceMs.get(connection),
        },
        nowMs,
      );
      if (why === undefined) continue;
      this.#log.info("cut a connection", { peer: wire.key, why });
      connection.abort(new Error(why));
    }
    this.#clock.after(WATCH_EVERY_MS, () => this.#watch());
  }

  // --- channels --------------------------------------------------------------------------------

  async #openOn<Peer extends PeerKey>(
    connection: Connection,
    peer: Peer,
    protocol: ProtocolName,
    timeoutMs: number,
  ): Promise<FrameChannel<Peer>> {
    try {
      // The stream has to be taken over in the turn in which libp2p hands it out.
      return await withDeadline(this.#clock, timeoutMs, `Opening ${protocol}`, (signal) =>
        connection
          .newStream(protocol, { signal, maxOutboundStreams: MAX_OUTBOUND_STREAMS })
          .then((stream) => this.#channel(stream, peer, connection, protocol)),
      );
    } catch (cause) {
      throw unreachable(`${peer} does not speak ${protocol} to us.`, cause);
    }
  }

  #channel<Peer extends PeerKey>(
    stream: Stream,
    peer: Peer,
    connection: Connection | undefined,
    protocol: string,
  ): FrameChannel<Peer> {
    const { tap } = this.#options;
    const bulk = BULK_PROTOCOLS.has(protocol);
    const budget = bulk ? this.#budgetOf(connection) : undefined;
    return new FrameChannel(stream, peer, { clock: this.#clock, budget, tap });
  }

  /** One for each connection to a member; an outsider's stream has its own. */
  #budgetOf(connection: Connection | undefined): BulkBudget {
    const known = connection === undefined ? undefined : this.#budgets.get(connection);
    const budget = known ?? new BulkBudget(this.#clock);
    if (connection !== undefined) this.#budgets.set(connection, budget);
    return budget;
  }

  async #register(
    protocol: ProtocolName,
    handler: (channel: FrameChannel<SiteId>, connection: Connection) => Promise<void>,
  ): Promise<void> {
    await this.#started().handle(
      protocol,
      (stream, connection) => {
        const peer = peerKeyOf(connection.remotePeer);
        if (peer === undefined || this.#guard.wireOf(connection)?.admission !== "member") {
          stream.abort(new Error("the peer is no member"));
          return;
        }
        const channel = this.#channel(stream, peer as SiteId, connection, protocol);
        void this.#run(protocol, channel, () => handler(channel, connection));
      },
      { maxInboundStreams: MAX_INBOUND_STREAMS, maxOutboundStreams: MAX_OUTBOUND_STREAMS },
    );
  }

  /** Runs a handler, and sees to it that its channel is over some time after. */
  async #run(
    protocol: string,
    channel: FrameChannel<PeerKey>,
    handler: () => Promise<void>,
  ): Promise<void> {
    try {
      await handler();
      await channel.end();
      const cancel = this.#clock.after(LINGER_MS, () => channel.abort("not ended by the peer"));
      await channel.whenClosed();
      cancel();
    } catch (error) {
      if (!channel.closed) {
        this.#log.info("a channel failed", { protocol, peer: channel.peer, why: String(error) });
      }
      channel.abort("handler failed");
    }
  }

  // --- outsiders -------------------------------------------------------------------------------

  #openTo(wire: Wire): OutsiderProtocol | undefined {
    const { membership } = this.#options;
    const wanted: OutsiderProtocol | undefined =
      wire.admission === "recovery" && membership.isRecoveryKey(wire.key)
        ? "/pleach/recover/1"
        : wire.admission === "joiner" && (membership.joinOpen() || membership.isMember(wire.key))
          ? "/pleach/join/1"
          : undefined;
    return wanted !== undefined && this.#outsiderHandlers.has(wanted) ? wanted : undefined;
  }

  #serveOutsider(wire: Wire, protocol: OutsiderProtocol, stream: Stream): void {
    const handler = this.#outsiderHandlers.get(protocol);
    if (handler === undefined) return;
    const channel = this.#channel(stream, wire.key, undefined, protocol);
    void this.#run(protocol, channel, () => handler(channel));
  }

  #closeIfUnused(connection: Connection): void {
    const wire = this.#guard.wireOf(connection);
    if (wire?.admission !== "dialled" || connection.streams.length > 0) return;
    connection.close().catch(() => connection.abort(new Error("not closed in time")));
  }
}

function checkAddress(text: string): void {
  try {
    multiaddr(text);
  } catch (cause) {
    throw new MeshError("E-MESH-ADDRESS", `“${text}” is not a multiaddr.`, {
      cause,
      hint: "An address looks like /ip4/0.0.0.0/tcp/4901 or /ip6/::/tcp/4901.",
    });
  }
}

function unreachable(message: string, cause: unknown): MeshError {
  return cause instanceof MeshError
    ? cause
    : new MeshError("E-MESH-UNREACHABLE", message, { cause });
}
