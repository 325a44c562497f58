/**
 * A libp2p node that keeps none of our rules: a stranger, or a member gone bad.
 *
 * It speaks Noise and yamux as everybody does, offers whatever protocols a test names, and notes
 * each stream that somebody opens to it.
 */
import { noise } from "@chainsafe/libp2p-noise";
import { identify, type Identify } from "@libp2p/identify";
import type { Connection, Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { libp2pKeyOf } from "../../daemon/mesh/peer-id.ts";
import { testKey } from "./mesh-world.ts";

const WAIT_MS = 3_000;

export class RawPeer {
  readonly node: Libp2p<{ identify: Identify }>;
  /** Protocols of the streams that others opened to this peer. */
  readonly opened: string[] = [];

  private constructor(node: Libp2p<{ identify: Identify }>) {
    this.node = node;
  }

  static async start(keyName: string): Promise<RawPeer> {
    const node = await createLibp2p({
      privateKey: libp2pKeyOf(testKey(keyName)),
      addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
      services: { identify: identify({ runOnConnectionOpen: false, protocolPrefix: "pleach" }) },
    });
    return new RawPeer(node);
  }

  address(): string {
    return this.node.getMultiaddrs()[0]?.toString() ?? "";
  }

  /** Offers protocols and notes who comes for them. */
  async offer(protocols: readonly string[]): Promise<void> {
    for (const protocol of protocols) {
      await this.node.unhandle(protocol);
      await this.node.handle(protocol, () => void this.opened.push(protocol));
    }
  }

  dial(address: string): Promise<Connection> {
    return this.node.dial(multiaddr(address), { signal: AbortSignal.timeout(WAIT_MS) });
  }

  /** Every protocol that the node at the other end has registered, as identify tells it. */
  async protocolsOf(connection: Connection): Promise<readonly string[]> {
    const told = await this.node.services.identify.identify(connection);
    return told.protocols;
  }

  /** Whether the other end agrees to speak the protocol. */
  async speaks(connection: Connection, protocol: string): Promise<boolean> {
    try {
      const stream = await connection.newStream(protocol, { signal: AbortSignal.timeout(WAIT_MS) });
      stream.abort(new Error("only asked"));
      return true;
    } catch {
      return false;
    }
  }

  /** Which of the protocols the other end agrees to, each on a connection of its own. */
  async gets(address: string, protocols: readonly string[]): Promise<readonly string[]> {
    const got: string[] = [];
    for (const protocol of protocols) {
      const connection = await this.dial(address).catch(() => undefined);
      if (connection === undefined) continue;
      if (await this.speaks(connection, protocol)) got.push(protocol);
      connection.abort(new Error("done"));
    }
    return got;
  }

  stop(): Promise<void> {
    return Promise.resolve(this.node.stop());
  }
}
