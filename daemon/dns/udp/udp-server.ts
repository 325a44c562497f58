/** One UDP socket: a packet in, at most one packet out, nothing kept. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { Logger } from "../../observe/log.ts";
import { addressBytes, type Client } from "../client.ts";
import type { ListenPlace } from "../inherited-sockets.ts";
import { listenError } from "../listen.ts";
import type { Serve } from "../serve.ts";

/** Answers that the kernel does not take yet; more are dropped, as the network would. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** Room for bursts while the event loop is busy; the kernel may grant less. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/** Requests that are being worked on; more are dropped, and come again. Most wait for upstreams. */
const MAX_REQUESTS = 1024;

export class UdpServer {
  readonly #socket: Socket;
  readonly #serve: Serve;
  readonly #viewOf: (address: Uint8Array) => ZoneView;
  #requests = 0;

  private constructor(socket: Socket, serve: Serve, view: (address: Uint8Array) => ZoneView) {
    this.#socket = socket;
    this.#serve = serve;
    this.#viewOf = view;
    socket.on("message", (packet, from) => this.#receive(packet, from));
  }

  /**
   * @param viewOfClient - By the client's address.
   * @throws DnsError (E-DNS-LISTEN).
   */
  static async start(
    listen: ListenPlace,
    serve: Serve,
    viewOfClient: (address: Uint8Array) => ZoneView,
    log: Logger,
  ): Promise<UdpServer> {
    const family = isIPv6(listen.address)
      ? ({ type: "udp6", ipv6Only: true } as const)
      : ({ type: "udp4" } as const);
    const socket = createSocket({ ...family, recvBufferSize: RECEIVE_BUFFER_BYTES });
    const server = new UdpServer(socket, serve, viewOfClient);
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (cause) => reject(listenError(listen, "UDP", cause)));
      const { address, port, udpFd } = listen;
      if (udpFd === undefined) socket.bind({ port, address, exclusive: true }, resolve);
      else socket.bind({ fd: udpFd, exclusive: true }, resolve);
    });
    socket.removeAllListeners("error");
    socket.on("error", (error) => log.warn("UDP socket", { error: error.message }));
    return server;
  }

  #receive(packet: Uint8Array, from: RemoteInfo): void {
    // Port 0 cannot be answered.
    if (from.port === 0 || this.#socket.getSendQueueSize() > MAX_QUEUED_BYTES) return;
    const address = addressBytes(from.address);
    const view = this.#viewOf(address);
    const client: Client = { carrier: "udp", address, port: from.port, view };
    const response = this.#serve.respond(packet, client);
    if (response === "silence") return;
    if (response === "request") void this.#request(packet, client, from);
    // A copy: the kernel may take it later, and the next answer is written over it.
    else this.#send(response.slice(), from);
  }

  async #request(packet: Uint8Array, client: Client, from: RemoteInfo): Promise<void> {
    if (this.#requests >= MAX_REQUESTS) return;
    this.#requests += 1;
    try {
      for await (const answer of this.#serve.request(packet, client)) {
        this.#send(answer, from);
        // What takes more than one message is not for UDP.
        break;
      }
    } finally {
      this.#requests -= 1;
    }
  }

  #send(answer: Uint8Array, { port, address }: RemoteInfo): void {
    // An answer that cannot be sent is a lost packet; the asker asks again.
    this.#socket.send(answer, port, address, () => {});
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}
