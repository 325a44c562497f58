/**
 * A transport that counts the frames of one protocol, over a fake network or a real one.
 */
import type {
  Channel,
  ChannelHandler,
  LinkListener,
  ProtocolName,
  Transport,
} from "../../daemon/core/transport.ts";
import type { SiteId } from "../../protocol/ids.ts";

export class CountedTransport implements Transport {
  readonly self: SiteId;
  readonly #transport: Transport;
  readonly #protocol: ProtocolName;
  /** Frames that this end has sent, and their bytes. */
  frames = 0;
  sizeBytes = 0;

  constructor(transport: Transport, protocol: ProtocolName) {
    this.self = transport.self;
    this.#transport = transport;
    this.#protocol = protocol;
  }

  reset(): void {
    this.frames = 0;
    this.sizeBytes = 0;
  }

  links(): readonly SiteId[] {
    return this.#transport.links();
  }

  async open(peer: SiteId, protocol: ProtocolName, timeoutMs: number): Promise<Channel> {
    const channel = await this.#transport.open(peer, protocol, timeoutMs);
    return protocol === this.#protocol ? this.#counted(channel) : channel;
  }

  handle(protocol: ProtocolName, handler: ChannelHandler): void {
    const counts = protocol === this.#protocol;
    this.#transport.handle(protocol, (channel) =>
      handler(counts ? this.#counted(channel) : channel),
    );
  }

  onLink(listener: LinkListener): () => void {
    return this.#transport.onLink(listener);
  }

  #counted(channel: Channel): Channel {
    return {
      peer: channel.peer,
      send: (frame) => {
        this.frames++;
        this.sizeBytes += frame.length;
        return channel.send(frame);
      },
      receive: (timeoutMs) => channel.receive(timeoutMs),
      end: () => channel.end(),
      abort: (reason) => channel.abort(reason),
    };
  }
}
