/**
 * The doors for peers who are no fellow members, from both sides.
 *
 * Inside, a node serves the join protocol to anybody while it has an open invitation, the recovery
 * protocol to recovery keys, and the farewell to who was a member. Outside, a box that wants in dials one node by its address.
 */
import type { Connection, Stream } from "@libp2p/interface";
import type { PeerKey } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import type { Channel } from "../core/transport.ts";
import type { Channels } from "./channels.ts";
import { withDeadline } from "./deadline.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { MeshError } from "./error.ts";
import type { Guard, Wire } from "./guard.ts";
import type { Membership, OutsiderProtocol } from "./membership.ts";
import type { MeshNode } from "./node.ts";
import { namedAddress } from "./peer-id.ts";

/** A connection to a node that we are no fellow member of is closed when unused for so long. */
const UNUSED_MS = 1_000;

export type OutsiderHandler = (channel: Channel<PeerKey>) => Promise<void>;

export interface OutsidersOptions {
  readonly clock: Clock;
  readonly membership: Membership;
  readonly guard: Guard;
  readonly doorkeeper: Doorkeeper;
  readonly channels: Channels;
}

export class Outsiders {
  readonly #options: OutsidersOptions;
  /** Connections that this side closes because nothing used them. */
  readonly #closing = new WeakSet<Connection>();
  readonly #handlers = new Map<OutsiderProtocol, OutsiderHandler>();

  constructor(options: OutsidersOptions) {
    this.#options = options;
  }

  handle(protocol: OutsiderProtocol, handler: OutsiderHandler): void {
    this.#handlers.set(protocol, handler);
  }

  /** The protocols that are open to this peer now. */
  openTo({ key, admission }: Wire): readonly OutsiderProtocol[] {
    const { membership } = this.#options;
    const open: OutsiderProtocol[] = [];
    if (admission === "recovery" && membership.isRecoveryKey(key)) open.push("/pleach/recover/1");
    if (admission === "former" && membership.isFormer(key)) open.push("/pleach/farewell/1");
    // An applicant that was just admitted asks on, over the connection it has.
    const applies = admission === "joiner" || admission === "former";
    if (applies && (membership.joinOpen() || membership.isMember(key))) open.push("/pleach/join/1");
    return open.filter((protocol) => this.#handlers.has(protocol));
  }

  serve(wire: Wire, protocol: OutsiderProtocol, stream: Stream): void {
    const handler = this.#handlers.get(protocol);
    if (handler === undefined) stream.abort(new Error("nobody serves this"));
    else this.#options.channels.serve(stream, wire.key, protocol, handler);
  }

  /**
   * Dials the peer that the address names, and opens the one protocol there.
   *
   * @throws MeshError (E-MESH-ADDRESS), (E-MESH-UNREACHABLE), (E-MESH-TIMEOUT).
   */
  async open(
    node: MeshNode,
    address: string,
    protocol: OutsiderProtocol,
    timeoutMs: number,
  ): Promise<Channel<PeerKey>> {
    const { clock, channels } = this.#options;
    const target = namedAddress(address);
    const untilMs = clock.monotonicMs() + timeoutMs;
    const leftMs = (): number => Math.max(1, untilMs - clock.monotonicMs());
    for (;;) {
      const connection = await this.#dial(node, target, leftMs());
      try {
        const channel = await channels.open(connection, target.key, protocol, leftMs());
        void channel.whenClosed().then(() => this.#closeIfUnused(connection));
        return channel;
      } catch (error) {
        // An earlier connection may be closing just now; a new one that is cut is an answer.
        if (connection.status === "open" || !this.#closing.has(connection)) throw error;
      }
    }
  }

  async #dial(
    node: MeshNode,
    target: ReturnType<typeof namedAddress>,
    timeoutMs: number,
  ): Promise<Connection> {
    const { clock, doorkeeper } = this.#options;
    const text = target.address.toString();
    try {
      return await doorkeeper.wanting(target.key, () =>
        withDeadline(clock, timeoutMs, `Dialling ${text}`, (signal) =>
          node.dial(target.address, { signal }),
        ),
      );
    } catch (cause) {
      if (cause instanceof MeshError) throw cause;
      throw new MeshError("E-MESH-UNREACHABLE", `Nobody lets us in at ${text}.`, { cause });
    }
  }

  /** Leaves a moment for the next channel: a box that recovers opens one after another. */
  #closeIfUnused(connection: Connection): void {
    if (this.#options.guard.wireOf(connection)?.admission !== "dialled") return;
    this.#options.clock.after(UNUSED_MS, () => {
      if (connection.streams.length > 0 || connection.status !== "open") return;
      this.#closing.add(connection);
      connection.close().catch(() => connection.abort(new Error("not closed in time")));
    });
  }
}
