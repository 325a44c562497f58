/**
 * The channels of `/pleach/state/1` that are open, by peer, so that they can be ended at once when
 * this node stops or a peer is no member any more.
 */
import type { MeshId, SiteId } from "../../../protocol/ids.ts";
import type { SyncHello } from "../../../protocol/messages/sync-message.ts";
import type { Channel, Transport } from "../../core/transport.ts";
import type { Replica } from "../replica.ts";
import { Conversation, makeHello, STATE_PROTOCOL } from "./conversation.ts";
import type { Peer } from "./peer.ts";
import { SyncError } from "./sync-error.ts";

const OPEN_TIMEOUT_MS = 20_000;

interface ExchangesSetup {
  readonly transport: Transport;
  readonly replica: Replica;
  readonly meshId: () => MeshId | undefined;
  readonly isMember: (site: SiteId) => boolean;
}

export class Exchanges {
  readonly #setup: ExchangesSetup;
  readonly #channels = new Set<Channel>();
  #stopped = false;

  constructor(setup: ExchangesSetup) {
    this.#setup = setup;
  }

  /** Opens an exchange with a peer and says HELLO. Does nothing before there is a mesh. */
  async hold(
    peer: Peer,
    use: SyncHello["use"],
    act: (talk: Conversation, hello: SyncHello) => Promise<void>,
  ): Promise<void> {
    const { transport, replica } = this.#setup;
    const mesh = this.#setup.meshId();
    if (mesh === undefined) return;
    const channel = await transport.open(peer.id, STATE_PROTOCOL, OPEN_TIMEOUT_MS);
    await this.use(channel, peer, async (talk) => {
      const hello = makeHello(use, mesh, replica);
      await talk.say(hello);
      await act(talk, hello);
    });
  }

  /** Speaks on a channel until `act` ends; cuts it when that fails. */
  async use(
    channel: Channel,
    peer: Peer,
    act: (talk: Conversation) => Promise<void>,
  ): Promise<void> {
    this.#channels.add(channel);
    try {
      if (this.#stopped) throw new SyncError("E-SYNC-STOPPED", "This node stops.");
      if (!this.#setup.isMember(peer.id)) throw noMember();
      await act(new Conversation(channel, peer));
    } catch (error) {
      channel.abort(error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      this.#channels.delete(channel);
    }
  }

  /** Ends at once all that is open with somebody who is no member now. */
  endWithOthers(): void {
    for (const channel of this.#channels) {
      if (!this.#setup.isMember(channel.peer)) channel.abort(noMember().message);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const channel of this.#channels) channel.abort("this node stops");
  }
}

function noMember(): SyncError {
  return new SyncError("E-SYNC-MEMBER", "The peer is no member of this mesh.");
}
