/**
 * The transport seam: links between members, and framed channels over them.
 *
 * Everything above it speaks in frames with explicit back-pressure and never sees a raw stream.
 * The real thing is `daemon/mesh/`; the fake is `test-mesh/fakes/`; both pass one acceptance suite.
 */
import type { PeerKey, SiteId } from "../../protocol/ids.ts";
import type { Urgency } from "./backup/uplink-rule.ts";

/** A frame is checked against this before anything is allocated for it. */
export const MAX_FRAME_BYTES = 320 * 1024;

/** A protocol name, for example `/pleach/state/1`. */
export type ProtocolName = `/pleach/${string}/${number}`;

/** What the bytes of a channel are for: this decides their part of a line that several share. */
export interface BulkFlow {
  readonly urgency: Urgency;
  /** Whose they are. */
  readonly owner: string;
  /** Which data set they are of. */
  readonly set: string;
}

/** One stream of frames in both directions between two peers that proved their keys. */
export interface Channel<Peer extends PeerKey = SiteId> {
  readonly peer: Peer;
  /**
   * Hands over one frame of at most {@link MAX_FRAME_BYTES}. Resolves when the transport takes
   * more, so awaiting it bounds the sender's memory. Rejects when the channel is gone or the
   * peer takes nothing for 60 s.
   */
  send(frame: Uint8Array): Promise<void>;
  /**
   * The next frame, or undefined once the peer has ended its side and all was read.
   * Rejects after `timeoutMs` without a whole frame, and when the channel is gone.
   */
  receive(timeoutMs: number): Promise<Uint8Array | undefined>;
  /** Ends our side; what was sent still arrives. Reading may go on. */
  end(): Promise<void>;
  /** Cuts both sides at once; what is under way is lost. */
  abort(reason: string): void;
  /**
   * Says what goes over the channel from now on, in both directions. When copies may not be made
   * at this hour, the channel is cut. A transport without lines to share leaves it out.
   */
  carries?(flow: BulkFlow): void;
}

export type LinkListener = (peer: SiteId, up: boolean) => void;

/** Answers one channel that a peer opened. A rejection aborts the channel and is logged. */
export type ChannelHandler = (channel: Channel) => Promise<void>;

export interface Transport {
  readonly self: SiteId;
  /** The members that are linked now: our own hello was answered and nothing has cut the link. */
  links(): readonly SiteId[];
  /** Rejects when the member is not linked, or does not speak the protocol within `timeoutMs`. */
  open(peer: SiteId, protocol: ProtocolName, timeoutMs: number): Promise<Channel>;
  /** Serves a protocol to members. One handler for each protocol, set before links come up. */
  handle(protocol: ProtocolName, handler: ChannelHandler): void;
  /** Tells of links that come and go, from now on. Returns what ends the telling. */
  onLink(listener: LinkListener): () => void;
  /**
   * Milliseconds until bytes of this urgency may go to or come from a member over our line: 0 for
   * now, Infinity for never. A transport without lines to share leaves it out.
   */
  opensInMs?(peer: SiteId, urgency: Urgency): number;
}
