/**
 * The DNS server of a node: zones from the state, answered over UDP and TCP on each address.
 *
 * Needs a {@link ZoneSource}, the clock and the log. Between start and stop it answers from an
 * immutable version of the zones, which a change of the state replaces as a whole.
 */
import type { Clock } from "../core/clock.ts";
import type { Zone } from "../core/zones/zone.ts";
import type { Logger } from "../observe/log.ts";
import type { Listen } from "./listen.ts";
import { Responder, type Carrier } from "./responder.ts";
import { TcpServer } from "./tcp-server.ts";
import { UdpServer, type Respond } from "./udp-server.ts";
import { ZonePublisher } from "./zone-publisher.ts";
import type { ZoneSource } from "./zone-source.ts";
import { ZoneTree } from "./zone-tree.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";

export interface DnsServerOptions {
  /** Each address gets a UDP and a TCP socket. */
  readonly listen: readonly Listen[];
  readonly source: ZoneSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** What NSID tells; changes when the site joins a mesh. */
  readonly siteName: () => string;
}

export interface ZoneSummary {
  readonly name: string;
  readonly serial: number;
  readonly records: number;
  readonly warnings: readonly string[];
}

export class DnsServer {
  readonly #log: Logger;
  readonly #publisher: ZonePublisher;
  readonly #servers: { stop(): Promise<void> }[] = [];
  readonly #listening: Listen[] = [];
  readonly #listeners = new Set<() => void>();
  #responder: Responder = new Responder(new ZoneTree([]), "");

  private constructor({ source, clock, log, siteName }: DnsServerOptions) {
    this.#log = log.part("dns");
    this.#publisher = new ZonePublisher(source, clock, this.#log, (tree) => {
      this.#responder = new Responder(tree, siteName());
      for (const listener of this.#listeners) listener();
    });
  }

  /**
   * Resolves when every socket is bound.
   *
   * @throws DnsError (E-DNS-LISTEN) with the address; nothing is left listening.
   */
  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const server = new DnsServer(options);
    try {
      for (const listen of options.listen) await server.#listen(listen, options.clock);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async #listen(listen: Listen, clock: Clock): Promise<void> {
    const udp = await UdpServer.start(listen, this.#respond("udp"), this.#log);
    this.#servers.push(udp);
    const bound = { address: listen.address, port: udp.port };
    this.#servers.push(await TcpServer.start(bound, this.#respond("tcp"), clock, this.#log));
    this.#listening.push(bound);
  }

  #respond(carrier: Carrier): Respond {
    return (packet) => {
      try {
        return this.#responder.respond(packet, carrier);
      } catch (error) {
        // A packet must never end the daemon, whatever fault of ours it has found.
        this.#log.error("a packet has met a fault", {
          error: String(error),
          packet: Buffer.from(packet.subarray(0, 512)).toString("base64"),
        });
        return undefined;
      }
    };
  }

  /** Where it listens, with the ports that were chosen. */
  get listening(): readonly Listen[] {
    return this.#listening;
  }

  zones(): readonly ZoneSummary[] {
    return this.#publisher.zones.map((zone) => ({
      name: zoneText(zone.apex),
      serial: zone.serial,
      records: zone.lines.length,
      warnings: zone.warnings,
    }));
  }

  /** Tells of each new version of the zones, once it is served. Returns what ends the telling. */
  onServed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The zones as they are served, for editing and explaining. */
  served(): readonly Zone[] {
    return this.#publisher.zones;
  }

  /** The same as a tree, as the server searches it. */
  tree(): ZoneTree {
    return this.#publisher.tree;
  }

  /** Takes over the state as it is now, so that the caller's own change is served. */
  reload(): void {
    this.#publisher.reload();
  }

  async stop(): Promise<void> {
    this.#publisher.stop();
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}
