/**
 * Makes channels of streams, opens them, and looks after those whose handler is done.
 *
 * Protocols that carry shards are bulk: both ends must know which, for bulk is acknowledged.
 */
import type { Connection, Stream } from "@libp2p/interface";
import type { PeerKey, SiteId } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import type { BulkFlow, ProtocolName } from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";
import { BulkBudget } from "./bulk-budget.ts";
import { withDeadline } from "./deadline.ts";
import { MeshError } from "./error.ts";
import { FrameChannel, type Tap } from "./frame-channel.ts";
import type { Guard } from "./guard.ts";
import type { MeshNode } from "./node.ts";
import { peerKeyOf } from "./peer-id.ts";
import type { Uplinks } from "./uplinks.ts";

/** Each with what it is for until its channel says more. */
const BULK_PROTOCOLS: ReadonlyMap<string, BulkFlow> = new Map<ProtocolName, BulkFlow>([
  ["/pleach/shard/1", { urgency: "proof", owner: "", set: "" }],
  ["/pleach/recover/1", { urgency: "restore", owner: "", set: "" }],
  ["/pleach/audit/1", { urgency: "proof", owner: "", set: "" }],
]);

/** Streams of one protocol that one peer may have open here at once, and we there. */
const MAX_INBOUND_STREAMS = 32;
const MAX_OUTBOUND_STREAMS = 64;
/** After its handler is done, the peer has so long to end its side of a channel. */
const LINGER_MS = 30_000;

export type MemberHandler = (
  channel: FrameChannel<SiteId>,
  connection: Connection,
) => Promise<void>;

export interface ChannelsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly guard: Guard;
  readonly tap: Tap | undefined;
  readonly uplinks: Uplinks;
}

export class Channels {
  readonly #options: ChannelsOptions;
  /** One for all bulk on a connection. */
  readonly #budgets = new WeakMap<Connection, BulkBudget>();

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /**
   * @throws MeshError (E-MESH-UNREACHABLE) when the peer does not speak the protocol to us,
   * (E-MESH-TIMEOUT).
   */
  async open<Peer extends PeerKey>(
    connection: Connection,
    peer: Peer,
    protocol: ProtocolName,
    timeoutMs: number,
  ): Promise<FrameChannel<Peer>> {
    try {
      // A stream has to be taken over in the turn in which libp2p hands it out.
      return await withDeadline(this.#options.clock, timeoutMs, `Opening ${protocol}`, (signal) =>
        connection
          .newStream(protocol, { signal, maxOutboundStreams: MAX_OUTBOUND_STREAMS })
          .then((stream) => this.#channel(stream, peer, connection, protocol)),
      );
    } catch (cause) {
      if (cause instanceof MeshError) throw cause;
      throw new MeshError("E-MESH-UNREACHABLE", `${peer} does not speak ${protocol} to us.`, {
        cause,
      });
    }
  }

  /** Serves a protocol to members, on connections that libp2p looks after. */
  async serveMembers(
    node: MeshNode,
    protocol: ProtocolName,
    handler: MemberHandler,
  ): Promise<void> {
    await node.handle(
      protocol,
      (stream, connection) => {
        const peer = peerKeyOf(connection.remotePeer);
        if (peer === undefined || this.#options.guard.wireOf(connection)?.admission !== "member") {
          stream.abort(new Error("the peer is no member"));
          return;
        }
        const channel = this.#channel(stream, peer as SiteId, connection, protocol);
        void this.#run(protocol, channel, () => handler(channel, connection));
      },
      { maxInboundStreams: MAX_INBOUND_STREAMS, maxOutboundStreams: MAX_OUTBOUND_STREAMS },
    );
  }

  /** Serves one stream that was negotiated with an outsider. */
  serve(
    stream: Stream,
    peer: PeerKey,
    protocol: ProtocolName,
    handler: (channel: FrameChannel<PeerKey>) => Promise<void>,
  ): void {
    const channel = this.#channel(stream, peer, undefined, protocol);
    void this.#run(protocol, channel, () => handler(channel));
  }

  /** Ends the waits for room on a connection that has closed. */
  dropped(connection: Connection): void {
    this.#budgets.get(connection)?.close(new MeshError("E-MESH-GONE", "The link is gone."));
  }

  #channel<Peer extends PeerKey>(
    stream: Stream,
    peer: Peer,
    connection: Connection | undefined,
    protocol: string,
  ): FrameChannel<Peer> {
    const { clock, guard, tap, uplinks } = this.#options;
    const flow = BULK_PROTOCOLS.get(protocol);
    if (flow === undefined) return new FrameChannel(stream, peer, { clock, tap });
    const wire = connection === undefined ? undefined : guard.wireOf(connection);
    const line = uplinks.lineOf(wire?.localAddress);
    const budget = this.#budgetOf(connection);
    return new FrameChannel(stream, peer, { clock, budget, line, flow, tap });
  }

  #budgetOf(connection: Connection | undefined): BulkBudget {
    const known = connection === undefined ? undefined : this.#budgets.get(connection);
    const budget = known ?? new BulkBudget(this.#options.clock);
    if (connection !== undefined) this.#budgets.set(connection, budget);
    return budget;
  }

  /** Runs a handler, and sees to it that its channel is over some time after. */
  async #run(
    protocol: string,
    channel: FrameChannel<PeerKey>,
    handler: () => Promise<void>,
  ): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await handler();
      await channel.end();
      const cancel = clock.after(LINGER_MS, () => channel.abort("not ended by the peer"));
      await channel.whenClosed();
      cancel();
    } catch (error) {
      if (!channel.closed) {
        log.info("a channel failed", { protocol, peer: channel.peer, why: String(error) });
      }
      channel.abort("handler failed");
    }
  }
}
