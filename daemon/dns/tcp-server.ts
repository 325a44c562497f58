/**
 * One TCP listener: questions with a length before them, answered in order, several at once.
 *
 * Every connection is bounded in time and memory, and so is their number.
 * Source: RFC 1035 section 4.2.2, RFC 7766.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../observe/log.ts";
import type { ListenPlace } from "./inherited-sockets.ts";
import { listenError } from "./listen.ts";
import { addressBytes, networkKey, type Client } from "./client.ts";
import { readQuery } from "./query.ts";
import type { Serve } from "./serve.ts";

/** RFC 7766 section 6.2.3 wants "on the order of a few seconds" at least. */
const IDLE_MS = 10_000;
const MAX_CONNECTIONS = 256;
/** A resolver uses one or two; a household behind one address or in one network some more. */
const MAX_CONNECTIONS_PER_NETWORK = 32;
/** RFC 7766 section 6.2.2: a limit on pipelined questions may be set by the bytes not yet taken. */
const MAX_UNSENT_BYTES = 256 * 1024;
/** Questions of one connection that others are asked for at once. */
const MAX_ASKING = 32;
const NOTHING = Buffer.alloc(0);

export class TcpServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #perNetwork = new Map<string, number>();
  readonly #serve: Serve;
  readonly #viewOf: (address: Uint8Array) => ZoneView;
  readonly #clock: Clock;

  private constructor(serve: Serve, view: (address: Uint8Array) => ZoneView, clock: Clock) {
    this.#serve = serve;
    this.#viewOf = view;
    this.#clock = clock;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(socket);
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * @param viewOfClient - By the client's address.
   * @throws DnsError (E-DNS-LISTEN).
   */
  static async start(
    listen: ListenPlace,
    serve: Serve,
    viewOfClient: (address: Uint8Array) => ZoneView,
    clock: Clock,
    log: Logger,
  ) {
    const tcp = new TcpServer(serve, viewOfClient, clock);
    await new Promise<void>((resolve, reject) => {
      tcp.#server.once("error", (cause) => reject(listenError(listen, "TCP", cause)));
      const { address: host, port, tcpFd } = listen;
      if (tcpFd === undefined) tcp.#server.listen({ port, host, ipv6Only: true }, resolve);
      else tcp.#server.listen({ fd: tcpFd }, resolve);
    });
    tcp.#server.removeAllListeners("error");
    tcp.#server.on("error", (error) => log.warn("TCP socket", { error: error.message }));
    return tcp;
  }

  #accept(socket: Socket): void {
    const bytes = addressBytes(socket.remoteAddress ?? "");
    const network = networkKey(bytes);
    const count = (this.#perNetwork.get(network) ?? 0) + 1;
    if (count > MAX_CONNECTIONS_PER_NETWORK) {
      socket.destroy();
      return;
    }
    this.#perNetwork.set(network, count);
    this.#sockets.add(socket);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      const left = (this.#perNetwork.get(network) ?? 1) - 1;
      if (left > 0) this.#perNetwork.set(network, left);
      else this.#perNetwork.delete(network);
    });
    socket.on("error", () => socket.destroy());
    const { remotePort: port = 0 } = socket;
    const client: Client = { carrier: "tcp", address: bytes, port, view: this.#viewOf(bytes) };
    new Connection(socket, client, this.#serve, this.#clock);
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** Cuts the stream into messages; the time-out runs between whole ones, so dripping is no use. */
class Connection {
  readonly #socket: Socket;
  readonly #serve: Serve;
  readonly #clock: Clock;
  readonly #client: Client;
  /** What came and was not taken yet: at most one message of 64 KiB, and what came with its end. */
  #pending: Buffer = NOTHING;
  /** What `pending` is the end of, with room behind it. */
  #room: Buffer = NOTHING;
  #cancel: () => void;
  #ended = false;
  /** A request takes its time; what was sent behind it waits, unless it was a question. */
  #busy = false;
  /** Questions whose answers others have to be asked for. */
  #asking = 0;

  constructor(socket: Socket, client: Client, serve: Serve, clock: Clock) {
    this.#socket = socket;
    this.#client = client;
    this.#serve = serve;
    this.#clock = clock;
    this.#cancel = this.#idle();
    socket.on("close", () => this.#cancel());
    socket.on("data", (part: Buffer) => {
      this.#append(part);
      this.#answerPending();
    });
    socket.on("drain", () => this.#answerPending());
    socket.on("end", () => {
      this.#ended = true;
      this.#answerPending();
    });
  }

  /** A long message that comes byte by byte is copied a few times, not once for each byte. */
  #append(part: Buffer): void {
    const before = this.#pending;
    const size = before.length + part.length;
    if (before.length === 0) {
      this.#pending = part;
      this.#room = NOTHING;
      return;
    }
    const start = before.byteOffset - this.#room.byteOffset;
    if (before.buffer !== this.#room.buffer || start + size > this.#room.length) {
      this.#room = Buffer.allocUnsafeSlow(size * 2);
      before.copy(this.#room);
      this.#pending = this.#room.subarray(0, before.length);
    }
    const at = this.#pending.byteOffset - this.#room.byteOffset;
    part.copy(this.#room, at + before.length);
    this.#pending = this.#room.subarray(at, at + size);
  }

  #idle(): () => void {
    return this.#clock.after(IDLE_MS, () => this.#socket.destroy());
  }

  #touch(): void {
    this.#cancel();
    if (!this.#socket.destroyed) this.#cancel = this.#idle();
  }

  #answerPending(): void {
    const socket = this.#socket;
    const pending = this.#pending;
    let at = 0;
    // Answers are larger than questions: stop as soon as the other side does not take them.
    while (!this.#isFull && at + 2 <= pending.length) {
      const size = pending.readUInt16BE(at);
      if (at + 2 + size > pending.length) break;
      this.#touch();
      const packet = pending.subarray(at + 2, at + 2 + size);
      at += 2 + size;
      const response = this.#serve.respond(packet, this.#client);
      // Whatever gets no answer is nobody that DNS is spoken with.
      if (response === "silence") return void socket.destroy();
      if (response === "request") void this.#request(Uint8Array.from(packet));
      else socket.write(framed(response));
    }
    this.#pending = pending.subarray(at);
    if (this.#isFull) socket.pause();
    else if (socket.isPaused()) socket.resume();
    if (this.#ended && this.#asking === 0 && !socket.isPaused()) socket.end();
  }

  get #isFull(): boolean {
    const isCrowded = this.#busy || this.#asking >= MAX_ASKING;
    return isCrowded || this.#socket.writableLength > MAX_UNSENT_BYTES;
  }

  /** Sends the messages of one answer no faster than they are taken. */
  async #request(packet: Uint8Array): Promise<void> {
    const isQuestion = mayBeOvertaken(packet);
    if (isQuestion) this.#asking += 1;
    else this.#busy = true;
    const socket = this.#socket;
    try {
      for await (const answer of this.#serve.request(packet, this.#client)) {
        if (socket.destroyed) return;
        socket.write(framed(answer));
        this.#touch();
        if (socket.writableLength > MAX_UNSENT_BYTES) await drained(socket);
      }
    } finally {
      if (isQuestion) this.#asking -= 1;
      else this.#busy = false;
      if (!socket.destroyed) this.#answerPending();
    }
  }
}

/** Whether its answer may come behind those to later questions (RFC 7766 section 6.2.1.1). */
function mayBeOvertaken(packet: Uint8Array): boolean {
  const query = readQuery(packet);
  if (query.kind !== "question") return false;
  return query.question.type !== TYPE.AXFR && query.question.type !== TYPE.IXFR;
}

/** Until the other side has taken what was sent, or is gone. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      socket.off("drain", end);
      socket.off("close", end);
      resolve();
    };
    socket.on("drain", end);
    socket.on("close", end);
    if (socket.destroyed) end();
  });
}

/** RFC 7766 section 8: length and message go out in one write. */
function framed(answer: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(answer.length + 2);
  bytes.writeUInt16BE(answer.length);
  bytes.set(answer, 2);
  return bytes;
}
