/** One UDP socket: a packet in, at most one packet out, nothing kept. */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Logger } from "../observe/log.ts";
import { listenError, type Listen } from "./listen.ts";

/** Answers that the kernel does not take yet; more are dropped, as the network would. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** Room for bursts while the event loop is busy; the kernel may grant less. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

export type Respond = (packet: Uint8Array) => Uint8Array | undefined;

export class UdpServer {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @throws DnsError (E-DNS-LISTEN). */
  static async start(listen: Listen, respond: Respond, log: Logger): Promise<UdpServer> {
    const family = isIPv6(listen.address)
      ? ({ type: "udp6", ipv6Only: true } as const)
      : ({ type: "udp4" } as const);
    const socket = createSocket({ ...family, recvBufferSize: RECEIVE_BUFFER_BYTES });
    socket.on("message", (packet, from) => {
      // Port 0 cannot be answered.
      if (from.port === 0 || socket.getSendQueueSize() > MAX_QUEUED_BYTES) return;
      const answer = respond(packet);
      // An answer that cannot be sent is a lost packet; the asker asks again.
      if (answer !== undefined) socket.send(answer, from.port, from.address, () => {});
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (cause) => reject(listenError(listen, "UDP", cause)));
      socket.bind({ port: listen.port, address: listen.address, exclusive: true }, resolve);
    });
    socket.removeAllListeners("error");
    socket.on("error", (error) => log.warn("UDP socket", { error: error.message }));
    return new UdpServer(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}
