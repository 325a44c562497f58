/** The libp2p node, with the settings that facts and traps of the library ask for. */
import { identify, type Identify } from "@libp2p/identify";
import type { Libp2p } from "@libp2p/interface";
import { kadDHT, type KadDHT } from "@libp2p/kad-dht";
import { ping, type Ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { MeshError } from "./error.ts";
import type { Guard } from "./guard.ts";
import { libp2pKeyOf } from "./peer-id.ts";

/** Private: no node outside of Pleach speaks it, and none of ours speaks the public one. */
const KAD_PROTOCOL = "/pleach/kad/1";

/** All tries at one peer's addresses together. */
export const DIAL_TIMEOUT_MS = 20_000;

/** Far above what the doorkeeper lets in: the limits are there. */
const NO_LIMIT = 1_000_000;

export type MeshNode = Libp2p<{
  readonly identify: Identify;
  readonly ping: Ping;
  readonly dht?: KadDHT;
}>;

export interface NodeOptions {
  readonly siteKey: SigningKey;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly dht: boolean;
  readonly guard: Guard;
  readonly doorkeeper: Doorkeeper;
}

/** @throws MeshError (E-MESH-LISTEN) when it cannot listen on one of the addresses. */
export async function startNode(options: NodeOptions): Promise<MeshNode> {
  const { guard, doorkeeper } = options;
  const services = {
    // Run by the mesh once a link is up: on every opened connection it would speak to strangers.
    identify: identify({ runOnConnectionOpen: false, protocolPrefix: "pleach" }),
    // One stream is libp2p's limit, which a second caller of ping runs into.
    ping: ping({ maxInboundStreams: 8, maxOutboundStreams: 8, protocolPrefix: "pleach" }),
  };
  // With the default mapper and mode a private mesh has an empty routing table, without an error.
  const dht = kadDHT({
    protocol: KAD_PROTOCOL,
    clientMode: false,
    peerInfoMapper: (peer) => ({
      ...peer,
      multiaddrs: doorkeeper.filterMultiaddrForPeer(peer.id) ? peer.multiaddrs : [],
    }),
  });
  try {
    return await createLibp2p<{ identify: Identify; ping: Ping; dht?: KadDHT }>({
      privateKey: libp2pKeyOf(options.siteKey),
      nodeInfo: { name: "pleach", userAgent: "pleach" },
      addresses: { listen: [...options.listen], announce: [...options.announce] },
      transports: [tcp()],
      connectionEncrypters: [(components) => guard.encrypter(components)],
      streamMuxers: [() => guard.muxer()],
      connectionGater: doorkeeper,
      connectionManager: {
        maxConnections: NO_LIMIT,
        inboundConnectionThreshold: NO_LIMIT,
        maxIncomingPendingConnections: NO_LIMIT,
        inboundUpgradeTimeout: 10_000,
        dialTimeout: DIAL_TIMEOUT_MS,
        reconnectRetries: 0,
        // The order in which they are given: the dialer takes turns.
        addressSorter: () => 0,
      },
      // It aborts a link whose line is busy; the mesh watches its links itself.
      connectionMonitor: { enabled: false },
      peerStore: { maxAddressAge: Number.POSITIVE_INFINITY, maxPeerAge: Number.POSITIVE_INFINITY },
      services: options.dht ? { ...services, dht } : services,
    });
  } catch (cause) {
    throw listenError(options.listen, cause);
  }
}

function listenError(listen: readonly string[], cause: unknown): MeshError {
  const inUse = JSON.stringify(flatten(cause)).includes("EADDRINUSE");
  return new MeshError(
    "E-MESH-LISTEN",
    inUse
      ? `Another program listens on ${listen.join(" or ")} already.`
      : `The mesh cannot listen on ${listen.join(", ")}: ${flatten(cause).join("; ")}`,
    { cause, hint: "Choose other addresses under [mesh] listen, or stop the other program." },
  );
}

/** The messages of an error and of all that caused it. */
function flatten(cause: unknown): string[] {
  if (cause instanceof AggregateError) return [cause.message, ...cause.errors.flatMap(flatten)];
  if (!(cause instanceof Error)) return [String(cause)];
  return [cause.message, ...(cause.cause === undefined ? [] : flatten(cause.cause))];
}
