/**
 * The DNS server of a node: zones from the state, answered over UDP and TCP on each address.
 *
 * Needs a {@link ZoneSource}, the clock and the log. Between start and stop it answers from the
 * zones as they are, each change of the state as a whole.
 */
import type { Clock } from "../core/clock.ts";
import type { Zone } from "../core/zones/zone.ts";
import { wholeZone, type ZoneDelta } from "../core/zones/zone-delta.ts";
import type { Logger } from "../observe/log.ts";
import { answerQuestion } from "./answer.ts";
import { formatAddress, type Client } from "./client.ts";
import type { Forwarder } from "./forward/forwarder.ts";
import { matchSockets } from "./inherited-sockets.ts";
import type { Listen } from "./listen.ts";
import { RateLimit } from "./rate-limit.ts";
import { Responder, type Identity } from "./responder.ts";
import type { Serve, Transactions } from "./serve.ts";
import { TcpServer } from "./tcp-server.ts";
import { UdpServer } from "./udp/udp-server.ts";
import { UdpWorkers } from "./udp/udp-workers.ts";
import { ZonePublisher } from "./zone-publisher.ts";
import type { ZoneSource } from "./zone-source.ts";
import { summaryOf, type ZoneSummary } from "./zone-summary.ts";
import { ZoneTree } from "./zone-tree.ts";
import type { DnsName } from "../../protocol/dns/dns-name.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { viewOf, type ViewRule } from "./view-rules.ts";

export interface DnsServerOptions {
  /** Each address gets a UDP and a TCP socket. */
  readonly listen: readonly Listen[];
  /** Networks whose clients see more than the public. Default: none. */
  readonly views?: readonly ViewRule[] | undefined;
  /**
   * Threads that answer UDP, by system calls for many packets at once; 0: the main thread does, as
   * it does on machines where those calls cannot be made. Default: 0.
   */
  readonly threads?: number | undefined;
  /** Sockets that systemd has bound for some of the addresses. Default: none. */
  readonly passed?: readonly number[] | undefined;
  readonly source: ZoneSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** What NSID tells; changes when the site joins a mesh. */
  readonly siteName: () => string;
  /** Secrets of 16 bytes that all servers of the mesh share; the one in use first. None: no cookies. */
  readonly cookieSecrets: () => readonly Uint8Array[];
  /** Default: every request is refused. */
  readonly transactions?: Transactions | undefined;
  /** Answers clients of the view `lan` about names of others. Default: nobody does. */
  readonly forwarder?: Forwarder | undefined;
}

/**
 * Answers a second that one network gets over UDP without a cookie. A resolver asks a zone of a
 * collective some times a second; who needs more is led to TCP and cookies, not turned away.
 */
const ANSWERS_PER_SECOND = 200;

export class DnsServer {
  readonly #log: Logger;
  readonly #publisher: ZonePublisher;
  readonly #servers: { stop(): Promise<void> }[] = [];
  readonly #listening: Listen[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #responder: Responder;
  readonly #transactions: Transactions | undefined;
  readonly #forwarder: Forwarder | undefined;
  readonly #identity: () => Identity;
  readonly #limit: { readonly answersPerSecond: number; readonly seed: number };
  #views: readonly ViewRule[];
  /** They start while the zones are built; undefined: the main thread answers UDP. */
  readonly #starting: Promise<UdpWorkers | undefined>;
  #workers: UdpWorkers | undefined;
  #isStarted = false;
  /** Ends when the last version of the zones is served by every thread. */
  #served: Promise<void> = Promise.resolve();

  private constructor(options: DnsServerOptions) {
    const { source, clock, log, siteName, cookieSecrets, transactions } = options;
    this.#log = log.part("dns");
    this.#transactions = transactions;
    this.#forwarder = options.forwarder;
    this.#views = options.views ?? [];
    this.#identity = () => ({
      siteName: siteName(),
      cookieSecrets: cookieSecrets(),
      guarded: transactions?.guarded() ?? [],
      forwards: options.forwarder !== undefined,
    });
    const seed = Buffer.from(clock.random(4)).readInt32LE();
    this.#limit = { answersPerSecond: ANSWERS_PER_SECOND, seed };
    this.#responder = new Responder({
      zones: new ZoneTree([]),
      ...this.#identity(),
      limit: new RateLimit({ perSecond: ANSWERS_PER_SECOND, seed }),
      clock,
    });
    this.#starting = this.#startWorkers(options);
    try {
      this.#publisher = new ZonePublisher(source, clock, this.#log, (deltas) => {
        // Before the start there are no zones anywhere that could change.
        if (this.#isStarted) this.#serveChange(deltas);
      });
    } catch (error) {
      // What failed first is what is told.
      this.#starting.then((workers) => workers?.stop()).catch(() => undefined);
      throw error;
    }
  }

  async #startWorkers(options: DnsServerOptions): Promise<UdpWorkers | undefined> {
    const { threads = 0, passed = [] } = options;
    if (threads === 0 || options.listen.length === 0) return undefined;
    const [serve, log, views] = [this.#serve(), this.#log, this.#views];
    const listen = matchSockets(options.listen, passed);
    return UdpWorkers.start({ listen, views, threads, ...this.#limit, serve, log });
  }

  #serveChange(deltas: readonly ZoneDelta[]): void {
    const identity = this.#identity();
    this.#workers?.identify(identity);
    const served = this.#workers?.serve(deltas) ?? Promise.resolve();
    // While the threads are at it.
    this.#responder.serve(this.#publisher.tree);
    this.#responder.identify(identity);
    this.#served = served.then(() => {
      for (const listener of this.#listeners) listener();
    });
  }

  /**
   * Resolves when every socket is bound.
   *
   * @throws DnsError (E-DNS-LISTEN) with the address; nothing is left listening.
   */
  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const { clock } = options;
    const startedMs = clock.monotonicMs();
    const server = new DnsServer(options);
    try {
      await server.#listen(options);
      const zones = server.served();
      const records = zones.reduce((sum, { lineCount }) => sum + lineCount, 0);
      const tookMs = Math.round(clock.monotonicMs() - startedMs);
      server.#log.info("zones are served", { zones: zones.length, records, tookMs });
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async #listen({ listen, clock, threads = 0, passed = [] }: DnsServerOptions): Promise<void> {
    const serve = this.#serve();
    const log = this.#log;
    this.#workers = await this.#starting;
    const places = matchSockets(listen, passed);
    if (this.#workers !== undefined) this.#servers.push(this.#workers);
    else if (threads > 0 && places.length > 0) {
      log.warn("koffi does not load: the main thread answers UDP");
    }
    // What has waited in a socket that was passed is answered at once.
    this.#isStarted = true;
    this.#serveChange(this.#publisher.zones.map(wholeZone));
    for (const [index, place] of places.entries()) {
      const bound = { ...place, port: this.#workers?.ports[index] ?? place.port };
      const { view } = place;
      const viewOfClient = (address: Uint8Array): ZoneView => viewOf(this.#views, view, address);
      if (this.#workers === undefined) {
        const udp = await UdpServer.start(bound, serve, viewOfClient, log);
        this.#servers.push(udp);
        bound.port = udp.port;
      }
      this.#servers.push(await TcpServer.start(bound, serve, viewOfClient, clock, log));
      const { address, port } = bound;
      this.#listening.push(view === undefined ? { address, port } : { address, port, view });
    }
    await this.#served;
  }

  /** A packet must never end the daemon, whatever fault of ours it has found. */
  #serve(): Serve {
    const fault = (error: unknown, packet: Uint8Array): void => {
      this.#log.error("a packet has met a fault", {
        error: String(error),
        packet: Buffer.from(packet.subarray(0, 512)).toString("base64"),
      });
    };
    const responder = this.#responder;
    const transactions = this.#transactions;
    const forward = (packet: Uint8Array, client: Client) => this.#forward(packet, client);
    return {
      respond: (packet, client) => {
        try {
          return responder.respond(packet, client);
        } catch (error) {
          fault(error, packet);
          return "silence";
        }
      },
      async *request(packet, client) {
        try {
          const found = await forward(packet, client);
          if (found !== undefined) return yield found;
          if (transactions === undefined) return yield responder.refuse(packet).slice();
          const { carrier, view } = client;
          const asker = { address: formatAddress(client.address), carrier, view };
          yield* transactions.serve(packet, asker, (plain, keyed) => {
            const seen = { ...client, keyed };
            const answer = responder.respond(plain, seen);
            if (answer === "request") return forward(plain, seen);
            return typeof answer === "string" ? undefined : answer.slice();
          });
        } catch (error) {
          fault(error, packet);
        }
      },
    };
  }

  /** The answer to a question about names of others; undefined when it is none, or not for here. */
  async #forward(packet: Uint8Array, client: Client): Promise<Uint8Array | undefined> {
    const wanted = this.#responder.forwardable(packet, client);
    if (wanted === undefined || this.#forwarder === undefined) return undefined;
    const { question, dnssecOk, checkingDisabled } = wanted;
    const { name, type } = question;
    const found = await this.#forwarder.answer(
      { name: name.slice() as DnsName, type, dnssecOk, checkingDisabled },
      client.address,
      (own, ofType) => answerQuestion(this.#publisher.tree, own, ofType, client.view, client.keyed),
    );
    const answer = this.#responder.complete(packet, client, found);
    return typeof answer === "string" ? undefined : answer.slice();
  }

  /** Who sees what, from now on; open TCP connections keep what they see. */
  setViews(views: readonly ViewRule[]): void {
    this.#views = views;
    this.#workers?.setViews(views);
  }

  /** Networks whose clients see more than the public. */
  get views(): readonly ViewRule[] {
    return this.#views;
  }

  /** Where it listens, with the ports that were chosen. */
  get listening(): readonly Listen[] {
    return this.#listening;
  }

  zones(): readonly ZoneSummary[] {
    return this.#publisher.zones.map(summaryOf);
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

  /** Takes over the state as it is now; resolves when the caller's own change is served. */
  async reload(): Promise<void> {
    this.#publisher.reload();
    await this.#served;
  }

  /** Serves changes of others that were still being gathered. */
  catchUp(): void {
    if (this.#publisher.isBehind) this.#publisher.reload();
  }

  async stop(): Promise<void> {
    this.#publisher.stop();
    this.#forwarder?.close();
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}
