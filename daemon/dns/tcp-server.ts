/**
 * One TCP listener: questions with a length before them, answered in order, several at once.
 *
 * Every connection is bounded in time and memory, and so is their number.
 * Source: RFC 1035 section 4.2.2, RFC 7766.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../observe/log.ts";
import { listenError, type Listen } from "./listen.ts";
import type { Respond } from "./udp-server.ts";

/** RFC 7766 section 6.2.3 wants "on the order of a few seconds" at least. */
const IDLE_MS = 10_000;
const MAX_CONNECTIONS = 256;
/** A resolver uses one or two; a household behind one address some more. */
const MAX_CONNECTIONS_PER_ADDRESS = 32;
/** RFC 7766 section 6.2.2: a limit on pipelined questions may be set by the bytes not yet taken. */
const MAX_UNSENT_BYTES = 256 * 1024;
/** A question with its longest name and options is far below; bounds what is kept of a stream. */
const MAX_QUESTION_BYTES = 4096;

export class TcpServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #perAddress = new Map<string, number>();
  readonly #respond: Respond;
  readonly #clock: Clock;

  private constructor(respond: Respond, clock: Clock) {
    this.#respond = respond;
    this.#clock = clock;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(socket);
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws DnsError (E-DNS-LISTEN). */
  static async start(listen: Listen, respond: Respond, clock: Clock, log: Logger) {
    const tcp = new TcpServer(respond, clock);
    await new Promise<void>((resolve, reject) => {
      tcp.#server.once("error", (cause) => reject(listenError(listen, "TCP", cause)));
      tcp.#server.listen({ port: listen.port, host: listen.address, ipv6Only: true }, resolve);
    });
    tcp.#server.removeAllListeners("error");
    tcp.#server.on("error", (error) => log.warn("TCP socket", { error: error.message }));
    return tcp;
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const count = (this.#perAddress.get(address) ?? 0) + 1;
    if (count > MAX_CONNECTIONS_PER_ADDRESS) {
      socket.destroy();
      return;
    }
    this.#perAddress.set(address, count);
    this.#sockets.add(socket);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    });
    socket.on("error", () => socket.destroy());
    serveConnection(socket, this.#respond, this.#clock);
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** Cuts the stream into messages; the time-out runs between whole ones, so dripping is no use. */
function serveConnection(socket: Socket, respond: Respond, clock: Clock): void {
  let pending: Buffer = Buffer.alloc(0);
  let cancel = clock.after(IDLE_MS, () => socket.destroy());
  const answerPending = (): void => {
    let at = 0;
    // Answers are larger than questions: stop as soon as the other side does not take them.
    while (at + 2 <= pending.length && socket.writableLength <= MAX_UNSENT_BYTES) {
      const size = pending.readUInt16BE(at);
      if (size > MAX_QUESTION_BYTES) return void socket.destroy();
      if (at + 2 + size > pending.length) break;
      cancel();
      cancel = clock.after(IDLE_MS, () => socket.destroy());
      const answer = respond(pending.subarray(at + 2, at + 2 + size));
      // Whatever gets no answer is nobody that DNS is spoken with.
      if (answer === undefined) return void socket.destroy();
      socket.write(framed(answer));
      at += 2 + size;
    }
    pending = pending.subarray(at);
    if (socket.writableLength > MAX_UNSENT_BYTES) socket.pause();
    else if (socket.isPaused()) socket.resume();
    if (ended && !socket.isPaused()) socket.end();
  };
  let ended = false;
  socket.on("close", () => cancel());
  socket.on("data", (part: Buffer) => {
    pending = pending.length === 0 ? part : Buffer.concat([pending, part]);
    answerPending();
  });
  socket.on("drain", answerPending);
  socket.on("end", () => {
    ended = true;
    answerPending();
  });
}

/** RFC 7766 section 8: length and message go out in one write. */
function framed(answer: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(answer.length + 2);
  bytes.writeUInt16BE(answer.length);
  bytes.set(answer, 2);
  return bytes;
}
