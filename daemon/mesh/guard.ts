/**
 * What a connection can carry, enforced below libp2p's own protocols.
 *
 * libp2p offers every registered protocol (identify, ping, kad-dht, ours) on every connection. So
 * a member's connection goes the usual way, and any other never reaches libp2p's registrar: its
 * streams are taken off the muxer here, negotiated against the one protocol that is open to that
 * peer now, and answered by nobody else. The other way round, libp2p can open no stream on it.
 *
 * The key is known after the Noise handshake and the muxer is made right after, so this file wraps
 * both. It also notes when a connection was last heard.
 */
import { Socket } from "node:net";
import { noise } from "@chainsafe/libp2p-noise";
import type {
  Connection,
  ConnectionEncrypter,
  MessageStream,
  SecuredConnection,
  Stream,
  StreamMuxer,
  StreamMuxerFactory,
} from "@libp2p/interface";
import { handle as negotiate } from "@libp2p/multistream-select";
import { yamux } from "@libp2p/yamux";
import type { PeerKey } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import { withDeadline } from "./deadline.ts";
import { MeshError } from "./error.ts";
import { OUTSIDER_PROTOCOLS, type Admission, type OutsiderProtocol } from "./membership.ts";
import { peerKeyOf } from "./peer-id.ts";

/** "dialled" is a connection that we made to somebody who is no fellow member: it serves nothing. */
export type WireAdmission = Exclude<Admission, "refused"> | "dialled";

/** What is known of a connection beside libp2p's own object for it. */
export interface Wire {
  readonly key: PeerKey;
  readonly admission: WireAdmission;
  /** The own end's IP address; undefined where the transport does not tell, as through a relay. */
  readonly localAddress: string | undefined;
  /** Monotonic time of the last bytes of any kind. */
  heardAtMs: number;
  /** The latest measured round trip, undefined before the first. */
  readonly roundTripMs: () => number | undefined;
}

export interface GuardPort {
  /** What a peer may do on a connection that it made, or that we made to it. */
  admit(key: PeerKey, direction: "inbound" | "outbound"): WireAdmission | "refused";
  /** The protocols that are open to this outsider now. */
  openTo(wire: Wire): readonly OutsiderProtocol[];
  /** Serves a negotiated stream of an outsider. Called in the turn in which it is handed out. */
  serve(wire: Wire, protocol: OutsiderProtocol, stream: Stream): void;
}

/** How long an outsider may take to name its protocol. */
const NEGOTIATION_MS = 10_000;

/**
 * The largest window has to stay below the read buffer, or pausing a reader resets the stream.
 * 1 MiB carries 20 MB/s at 50 ms of round trip.
 */
const READ_BUFFER_BYTES = 4 * 1024 * 1024;
const memberMuxers = yamux({
  maxInboundStreams: 256,
  maxOutboundStreams: 512,
  streamOptions: { maxStreamWindowSize: 1024 * 1024, maxReadBufferLength: READ_BUFFER_BYTES },
})();
const outsiderMuxers = yamux({
  maxInboundStreams: 8,
  maxOutboundStreams: 8,
  streamOptions: { maxStreamWindowSize: 256 * 1024, maxReadBufferLength: 1024 * 1024 },
})();

/** Streams at once: a joiner talks to one handler, a recovering box fetches several pieces. */
const MAX_STREAMS = { joiner: 2, recovery: 8, former: 2, dialled: 0 } as const;

interface Proof {
  readonly key: PeerKey;
  readonly direction: "inbound" | "outbound";
  readonly localAddress: string | undefined;
  readonly timeline: object;
}

export class Guard {
  readonly #clock: Clock;
  readonly #port: GuardPort;
  readonly #proofs = new WeakMap<MessageStream, Proof>();
  /** By the timeline, the one object that libp2p shares between a socket and its Connection. */
  readonly #wires = new WeakMap<object, Wire>();

  constructor(clock: Clock, port: GuardPort) {
    this.#clock = clock;
    this.#port = port;
  }

  /** Undefined for a connection that did not come through this guard, which has no rights. */
  wireOf(connection: Connection): Wire | undefined {
    return this.#wires.get(connection.timeline);
  }

  /** Noise, noting which key each connection has proven. */
  encrypter(components: Parameters<ReturnType<typeof noise>>[0]): ConnectionEncrypter {
    const inner: ConnectionEncrypter = noise()(components);
    return {
      protocol: inner.protocol,
      secureInbound: async (raw, options) =>
        this.#note(raw, "inbound", await inner.secureInbound(raw, options)),
      secureOutbound: async (raw, options) =>
        this.#note(raw, "outbound", await inner.secureOutbound(raw, options)),
    };
  }

  /** Yamux, cut off from the rest of libp2p for everybody but members. */
  muxer(): StreamMuxerFactory {
    return {
      protocol: memberMuxers.protocol,
      createStreamMuxer: (secured) => this.#muxer(secured),
    };
  }

  #note(
    raw: MessageStream,
    direction: Proof["direction"],
    secured: SecuredConnection,
  ): SecuredConnection {
    const key = peerKeyOf(secured.remotePeer);
    if (key === undefined) throw new MeshError("E-MESH-FORM", "The peer's key is not Ed25519.");
    const localAddress = localAddressOf(raw);
    this.#proofs.set(secured.connection, { key, direction, localAddress, timeline: raw.timeline });
    return secured;
  }

  #muxer(secured: MessageStream): StreamMuxer {
    const proof = this.#proofs.get(secured);
    if (proof === undefined) throw new MeshError("E-MESH-FORM", "A connection without a key.");
    const admission = this.#port.admit(proof.key, proof.direction);
    if (admission === "refused") throw new MeshError("E-MESH-GONE", "The peer is no member.");
    const factory = admission === "member" ? memberMuxers : outsiderMuxers;
    const muxer = factory.createStreamMuxer(secured);
    const wire: Wire = {
      key: proof.key,
      admission,
      localAddress: proof.localAddress,
      heardAtMs: this.#clock.monotonicMs(),
      roundTripMs: () => (muxer.getRTT() >= 0 ? muxer.getRTT() : undefined),
    };
    this.#wires.set(proof.timeline, wire);
    secured.addEventListener("message", () => {
      wire.heardAtMs = this.#clock.monotonicMs();
    });
    if (admission !== "member") this.#cutOff(muxer, wire);
    return muxer;
  }

  #cutOff(muxer: StreamMuxer, wire: Wire): void {
    // Registered before libp2p's own listener, which therefore never hears of the stream.
    muxer.addEventListener("stream", (event) => {
      event.stopImmediatePropagation();
      void this.#offer(muxer, wire, event.detail);
    });
    const create = muxer.createStream.bind(muxer);
    muxer.createStream = async (options) => {
      if (wire.admission !== "dialled" || !isOutsiderProtocol(options?.protocol)) {
        throw new MeshError("E-MESH-UNREACHABLE", "The peer is no member of this mesh.");
      }
      return create(options);
    };
  }

  async #offer(muxer: StreamMuxer, wire: Wire, stream: Stream): Promise<void> {
    const open = this.#port.openTo(wire);
    const limit = wire.admission === "member" ? 0 : MAX_STREAMS[wire.admission];
    if (open.length === 0 || muxer.streams.length > limit) {
      stream.abort(new Error("nothing is open to this peer"));
      return;
    }
    try {
      const protocol = await withDeadline(
        this.#clock,
        NEGOTIATION_MS,
        "Naming a protocol",
        (signal) => negotiate(stream, [...open], { signal }),
      );
      if (!isOutsiderProtocol(protocol)) throw new MeshError("E-MESH-FORM", "Not one of them.");
      stream.protocol = protocol;
      this.#port.serve(wire, protocol, stream);
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error("not negotiated"));
    }
  }
}

/** libp2p's connections over TCP carry their socket, though its types do not say so. */
function localAddressOf(raw: MessageStream): string | undefined {
  const socket: unknown = "socket" in raw ? raw.socket : undefined;
  return socket instanceof Socket ? socket.localAddress : undefined;
}

function isOutsiderProtocol(protocol: string | undefined): protocol is OutsiderProtocol {
  const all: readonly (string | undefined)[] = OUTSIDER_PROTOCOLS;
  return all.includes(protocol);
}
