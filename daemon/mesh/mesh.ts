/**
 * The mesh: links between members, channels over them, and the narrow doors for outsiders.
 *
 * It keeps links with the roster it is given and tells who is linked. Who is a member it asks its
 * port; what is said over a channel is the business of whoever handles the protocol.
 */
import { multiaddr } from "@multiformats/multiaddr";
import { idOf, type PeerKey, type SiteId } from "../../protocol/ids.ts";
import type {
  Channel,
  ChannelHandler,
  LinkListener,
  ProtocolName,
  Transport,
} from "../core/transport.ts";
import type { Urgency } from "../core/backup/uplink-rule.ts";
import type { Logger } from "../observe/log.ts";
import { Channels, type MemberHandler } from "./channels.ts";
import { withDeadline } from "./deadline.ts";
import { Dialer } from "./dialer.ts";
import { findProviders, provide } from "./directory.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { MeshError } from "./error.ts";
import { Guard } from "./guard.ts";
import { addressesOf, LinkMaker } from "./link-maker.ts";
import { LinkTable } from "./link-table.ts";
import { admissionOf, type OutsiderProtocol, type RosterEntry } from "./membership.ts";
import type { LinkDetail, MeshOptions } from "./mesh-options.ts";
import { startNode, type MeshNode } from "./node.ts";
import { Outsiders, type OutsiderHandler } from "./outsiders.ts";
import { memberAddress } from "./peer-id.ts";
import { Uplinks } from "./uplinks.ts";
import { watchConnections } from "./watch.ts";

const STOP_MS = 5_000;

export class Mesh implements Transport {
  readonly self: SiteId;
  readonly uplinks: Uplinks;
  readonly #options: MeshOptions;
  readonly #log: Logger;
  readonly #doorkeeper: Doorkeeper;
  readonly #guard: Guard;
  readonly #links: LinkTable;
  readonly #channels: Channels;
  readonly #outsiders: Outsiders;
  readonly #maker: LinkMaker;
  readonly #dialer: Dialer;
  #started: MeshNode | undefined;
  #stopWatch = (): void => {};
  #stopped = false;

  private constructor(options: MeshOptions) {
    const { clock, membership, dht, tap, version = "" } = options;
    const log = options.log.part("mesh");
    const guard = new Guard(clock, {
      admit: (key, direction) => {
        if (direction === "inbound") return admissionOf(membership, key);
        return membership.isMember(key) ? "member" : "dialled";
      },
      openTo: (wire) => this.#outsiders.openTo(wire),
      serve: (wire, protocol, stream) => this.#outsiders.serve(wire, protocol, stream),
    });
    const doorkeeper = new Doorkeeper(clock, membership);
    const uplinks = new Uplinks({ clock, rules: options.uplinks ?? ((): [] => []) });
    const channels = new Channels({ clock, log, guard, tap, uplinks });
    this.self = idOf<SiteId>(options.siteKey.publicKey);
    const links = new LinkTable(this.self, clock);
    this.#options = options;
    this.#log = log;
    this.#guard = guard;
    this.#doorkeeper = doorkeeper;
    this.#channels = channels;
    this.uplinks = uplinks;
    this.#links = links;
    this.#outsiders = new Outsiders({ clock, membership, guard, doorkeeper, channels });
    const { hearFarewell } = options;
    const shared = { clock, log, membership, guard, channels };
    this.#maker = new LinkMaker({ ...shared, links, dht, version, hearFarewell });
    this.#dialer = new Dialer(this.self, clock, log, {
      isLinked: (site) => links.get(site) !== undefined,
      dial: (site, addresses, attempt) => this.#maker.dial(this.#node, site, addresses, attempt),
    });
    links.onLink((peer, isUp) => {
      log.info(isUp ? "link is up" : "link is down", { peer });
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
    await mesh.#start();
    return mesh;
  }

  async #start(): Promise<void> {
    const { clock } = this.#options;
    const guard = this.#guard;
    const links = this.#links;
    const node = await startNode({ ...this.#options, guard, doorkeeper: this.#doorkeeper });
    this.#started = node;
    node.addEventListener("connection:close", ({ detail }) => {
      this.#channels.dropped(detail);
      links.down(detail);
    });
    await this.#maker.attach(node);
    this.#stopWatch = watchConnections({ clock, log: this.#log, guard, links }, () =>
      node.getConnections(),
    );
  }

  links(): readonly SiteId[] {
    return this.#links.peers();
  }

  linkDetails(): readonly LinkDetail[] {
    const { clock } = this.#options;
    const startMs = clock.wallMs() - clock.monotonicMs();
    return this.#links.links().map(({ peer, connection, sinceMs }) => ({
      peer,
      direction: connection.direction,
      address: connection.remoteAddr.toString(),
      sinceMs: startMs + sinceMs,
      rttMs: this.#guard.wireOf(connection)?.roundTripMs(),
    }));
  }

  onLink(listener: LinkListener): () => void {
    return this.#links.onLink(listener);
  }

  async open(peer: SiteId, protocol: ProtocolName, timeoutMs: number): Promise<Channel> {
    const link = this.#links.get(peer);
    if (link === undefined) throw new MeshError("E-MESH-UNREACHABLE", `${peer} is not linked.`);
    return this.#channels.open(link.connection, peer, protocol, timeoutMs);
  }

  opensInMs(peer: SiteId, urgency: Urgency): number {
    const connection = this.#links.get(peer)?.connection;
    const wire = connection === undefined ? undefined : this.#guard.wireOf(connection);
    return this.uplinks.opensInMs(wire?.localAddress, urgency);
  }

  handle(protocol: ProtocolName, handler: ChannelHandler): void {
    this.#serveMembers(protocol, async (channel, connection) => {
      if (!this.#links.has(connection)) throw new MeshError("E-MESH-FORM", "No hello was said.");
      await handler(channel);
    });
  }

  /** Replaces the members to keep links with. Their addresses get places of their own. */
  setRoster(entries: readonly RosterEntry[]): void {
    const addresses = entries.flatMap(({ siteId, addresses: texts }) =>
      texts.map((text) => memberAddress(text, siteId)).filter((each) => each !== undefined),
    );
    this.#doorkeeper.expectFrom(addresses);
    this.#dialer.setRoster(entries);
  }

  /**
   * Cuts whoever may not be connected any more, at once, and tries the others anew.
   *
   * @returns Where this node had reached those of them who were members: they may not reach it.
   */
  membershipChanged(): readonly string[] {
    const { membership } = this.#options;
    const reached: string[] = [];
    for (const connection of this.#node.getConnections()) {
      const wire = this.#guard.wireOf(connection);
      if (wire === undefined || membership.isMember(wire.key)) continue;
      const may = wire.admission === "recovery" && membership.isRecoveryKey(wire.key);
      if (wire.admission === "member" || (wire.admission === "recovery" && !may)) {
        connection.abort(new Error("the peer is no member any more"));
        const dialled = connection.direction === "outbound" && membership.isFormer(wire.key);
        if (dialled) reached.push(connection.remoteAddr.toString());
      }
    }
    this.#dialer.wake();
    return reached;
  }

  /** Where others can reach this node, as multiaddrs that name it. */
  addresses(): readonly string[] {
    return addressesOf(this.#node);
  }

  /**
   * Serves a protocol to outsiders, under the conditions of `Membership`. The join protocol is
   * served to members as well: who was just admitted asks over it for all that it has to know. So is
   * the farewell, which whoever does not see the other as a member any more opens.
   */
  handleOutsider(protocol: OutsiderProtocol, handler: OutsiderHandler): void {
    this.#outsiders.handle(protocol, handler);
    if (protocol !== "/pleach/recover/1")
      this.#serveMembers(protocol, (channel) => handler(channel));
  }

  /**
   * Dials somebody who need not be a fellow member, and opens the one protocol there.
   *
   * @param address - A multiaddr that names its peer (`/p2p/…`); nobody else is spoken to.
   * @throws MeshError (E-MESH-ADDRESS), or (E-MESH-UNREACHABLE) when nobody answers there or the
   * node there does not let us in, or (E-MESH-TIMEOUT).
   */
  openOutsider(
    address: string,
    protocol: OutsiderProtocol,
    timeoutMs: number,
  ): Promise<Channel<PeerKey>> {
    return this.#outsiders.open(this.#node, address, protocol, timeoutMs);
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
    if (!this.#options.dht) return;
    if (this.links().length === 0) throw new MeshError("E-MESH-DIRECTORY", "No member is linked.");
    await provide(this.#node, this.#options.clock, key);
  }

  /** Members that say so. A hint; whoever is asked has to prove what it has. */
  async findProviders(key: Uint8Array, timeoutMs: number): Promise<readonly SiteId[]> {
    const { clock, dht, membership } = this.#options;
    if (!dht) return [];
    const found = await findProviders(this.#node, clock, key, timeoutMs);
    return found.filter((peer): peer is SiteId => peer !== this.self && membership.isMember(peer));
  }

  /** Closes all links; takes at most 5 s. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#dialer.stop();
    this.uplinks.stop();
    this.#stopWatch();
    const node = this.#node;
    const { clock } = this.#options;
    try {
      await withDeadline(clock, STOP_MS, "Closing links", async () => node.stop());
    } catch (error) {
      this.#log.warn("stopped before all links had closed", { why: String(error) });
    }
  }

  get #node(): MeshNode {
    if (this.#started === undefined) throw new RangeError("used before it was started");
    return this.#started;
  }

  #serveMembers(protocol: ProtocolName, handler: MemberHandler): void {
    this.#channels.serveMembers(this.#node, protocol, handler).catch((error: unknown) => {
      this.#log.error("a protocol is not served", { protocol, why: String(error) });
    });
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
