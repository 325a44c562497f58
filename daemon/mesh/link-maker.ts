/**
 * Makes links of connections: dials members, says hello, answers hellos.
 *
 * A connection is a link when the hello has passed on it; before, libp2p may show a connection as
 * open that the other side's gate is about to cut.
 */
import type { Connection } from "@libp2p/interface";
import { HELLO_PROTOCOL, type Hello } from "../../protocol/messages/hello-message.ts";
import { toHex, type SiteId } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import type { Channel } from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";
import type { Channels } from "./channels.ts";
import { withDeadline } from "./deadline.ts";
import { findAddresses } from "./directory.ts";
import { MeshError } from "./error.ts";
import { answerGreeting, greet } from "./greeting.ts";
import type { Guard } from "./guard.ts";
import type { LinkTable } from "./link-table.ts";
import type { Membership, OutsiderProtocol } from "./membership.ts";
import { DIAL_TIMEOUT_MS, type MeshNode } from "./node.ts";
import { memberAddress, peerIdOf } from "./peer-id.ts";

const FAREWELL: OutsiderProtocol = "/pleach/farewell/1";
const OPEN_MS = 10_000;
const IDENTIFY_MS = 10_000;
/** Every so many failed tries the directory is asked where a member went. */
const ASK_DIRECTORY_EVERY = 4;

export interface LinkMakerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly membership: Membership;
  readonly guard: Guard;
  readonly channels: Channels;
  readonly links: LinkTable;
  readonly dht: boolean;
  /** Version of the program, for display at the peers. */
  readonly version: string;
  /** Hears out a member that takes no hello of ours. */
  readonly hearFarewell: ((channel: Channel) => Promise<void>) | undefined;
}

export class LinkMaker {
  readonly #options: LinkMakerOptions;
  readonly #instance: string;
  /** The hello that is under way or done, for each connection that we dialled. */
  readonly #greetings = new WeakMap<Connection, Promise<void>>();

  constructor(options: LinkMakerOptions) {
    this.#options = options;
    this.#instance = toHex(options.clock.random(16));
  }

  /** Serves hellos, and says them on the connections that this node dials. */
  async attach(node: MeshNode): Promise<void> {
    node.addEventListener("connection:open", ({ detail }) => this.#opened(node, detail));
    await this.#options.channels.serveMembers(node, HELLO_PROTOCOL, (channel, connection) =>
      answerGreeting(channel, this.#hello(node), (hello) =>
        this.#up(node, connection, channel.peer, hello),
      ),
    );
  }

  /** One try to link with a member. Rejects when it came to nothing. */
  async dial(
    node: MeshNode,
    site: SiteId,
    addresses: readonly string[],
    attempt: number,
  ): Promise<void> {
    const { clock, dht, membership } = this.#options;
    if (!membership.isMember(site)) {
      throw new MeshError("E-MESH-UNREACHABLE", "The site is not known as a member here.");
    }
    const asks = dht && (attempt + 1) % ASK_DIRECTORY_EVERY === 0;
    await withDeadline(clock, DIAL_TIMEOUT_MS + OPEN_MS, "Dialling", async (signal) => {
      const texts = asks ? await findAddresses(node, peerIdOf(site), signal) : addresses;
      const usable = texts
        .map((text) => memberAddress(text, site))
        .filter((address) => address !== undefined);
      if (usable.length === 0) throw new MeshError("E-MESH-ADDRESS", "No address can be used.");
      // Not one of the connections that are there: they are no links, or this would not dial.
      const connection = await node.dial(usable, { signal, force: true });
      await this.#greetings.get(connection);
    });
  }

  #opened(node: MeshNode, connection: Connection): void {
    const wire = this.#options.guard.wireOf(connection);
    if (wire === undefined) {
      connection.abort(new Error("unguarded"));
      return;
    }
    if (wire.admission !== "member" || connection.direction !== "outbound") return;
    const peer = wire.key as SiteId;
    const greeting = this.#greet(node, connection, peer);
    this.#greetings.set(connection, greeting);
    greeting.catch(async (error: unknown) => {
      this.#options.log.debug("no hello", { peer, why: String(error) });
      await this.#hearFarewell(connection, peer);
      connection.abort(new Error("no hello"));
    });
  }

  async #greet(node: MeshNode, connection: Connection, peer: SiteId): Promise<void> {
    const own = this.#hello(node);
    const channel = await this.#options.channels.open(connection, peer, HELLO_PROTOCOL, OPEN_MS);
    try {
      this.#up(node, connection, peer, await greet(channel, own));
    } catch (error) {
      channel.abort("no hello");
      throw error;
    }
  }

  /** A member that takes no hello may have to say why: this site may be no member any more. */
  async #hearFarewell(connection: Connection, peer: SiteId): Promise<void> {
    const { channels, hearFarewell, log } = this.#options;
    if (hearFarewell === undefined || connection.status !== "open") return;
    try {
      await hearFarewell(await channels.open(connection, peer, FAREWELL, OPEN_MS));
    } catch (error) {
      log.debug("no farewell either", { peer, why: String(error) });
    }
  }

  #hello(node: MeshNode): Hello {
    const mesh = this.#options.membership.meshId();
    if (mesh === undefined) throw new MeshError("E-MESH-UNREACHABLE", "This node is in no mesh.");
    return {
      mesh,
      instance: this.#instance,
      version: this.#options.version.slice(0, 64),
      addresses: addressesOf(node)
        .filter((text) => text.length <= 256)
        .slice(0, 16),
    };
  }

  #up(node: MeshNode, connection: Connection, peer: SiteId, hello: Hello): void {
    const { clock, links, log, membership } = this.#options;
    if (connection.status !== "open" || !membership.isMember(peer)) return;
    links.up({ peer, connection, instance: hello.instance, sinceMs: clock.monotonicMs() });
    // The directory learns from this that the member takes part in it, and where it is.
    withDeadline(clock, IDENTIFY_MS, "Identify", (signal) =>
      node.services.identify.identify(connection, { signal }),
    ).catch((error: unknown) => log.debug("not identified", { peer, why: String(error) }));
  }
}

/** Where others can reach the node: without loopback, unless there is nothing else. */
export function addressesOf(node: MeshNode): readonly string[] {
  const texts = node.getMultiaddrs().map((address) => address.toString());
  const outside = texts.filter((text) => !/^\/(?:ip4\/127\.|ip6\/::1\/)/.test(text));
  return outside.length > 0 ? outside : texts;
}
