/** What the sockets need of the one who answers, and what he needs of others. */
import type { DnsName } from "../../protocol/dns/dns-name.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import type { Carrier, Client, KeyView } from "./client.ts";
import type { Response } from "./responder.ts";

export interface Serve {
  /** Answers a question at once. Never throws; the answer is a view that the next call overwrites. */
  respond(packet: Uint8Array, client: Client): Response;
  /** Answers a "request" by messages in order, each with bytes of its own. Never throws. */
  request(packet: Uint8Array, client: Client): AsyncIterable<Uint8Array>;
}

export interface Asker {
  /** Of the other side, as text, without a zone identifier. */
  readonly address: string;
  readonly carrier: Carrier;
  readonly view: ZoneView;
}

/** Serves updates, notifications, transfers, and questions that are signed. */
export interface Transactions {
  /**
   * The messages that answer, one after another: for UDP at most one, of at most 1,232 bytes; none
   * for silence. Throws nothing that the packet has caused.
   *
   * @param packet - Only its header and the form of its records were looked at.
   * @param respond - Answers a plain question as if it had come by itself, from who sees of some
   *   zones what a key shows.
   */
  serve(
    packet: Uint8Array,
    asker: Asker,
    respond: (
      packet: Uint8Array,
      keyed: KeyView | undefined,
    ) => Uint8Array | undefined | Promise<Uint8Array | undefined>,
  ): AsyncIterable<Uint8Array>;
  /** Apexes of zones that the public does not see; questions for their names come to `serve`. */
  guarded(): readonly DnsName[];
}
