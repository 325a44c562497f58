/**
 * A DNS server that answers what a test tells it to: over UDP, TCP and TLS on the loopback.
 *
 * The answer is bytes, so a test can send what no honest server would.
 */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { once } from "node:events";
import { decodeMessage, type DecodedMessage } from "../../protocol/dns/decode-message.ts";
import { CLASS } from "../../protocol/dns/dns-code.ts";
import { parseDnsName, formatDnsName } from "../../protocol/dns/dns-name.ts";
import { parseType } from "../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import type { DnsMessage, DnsRecord } from "../../protocol/dns/message.ts";
import { parseRdata } from "../../protocol/dns/rdata.ts";

export type UpstreamCarrier = "udp" | "tcp" | "tls";

/** One question as it came. */
export interface Received {
  readonly message: DecodedMessage;
  readonly bytes: Uint8Array;
  readonly carrier: UpstreamCarrier;
  /** The name in lower case with its final dot, and the type: `www.example. A`. */
  readonly name: string;
  readonly type: number;
  /** Of the asker; another one for each question over UDP. */
  readonly port: number;
  /** The connection, for what goes beyond messages. */
  readonly socket: Socket | undefined;
}

/** The messages to answer with; none: silence. */
export type Answering = (
  received: Received,
) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;

export interface UpstreamServer {
  /** For UDP and TCP. */
  readonly port: number;
  readonly tlsPort: number;
  /** What came, the probes of the root left out. */
  readonly received: readonly Received[];
  /** Connections that were made, TCP and TLS. */
  readonly connections: () => number;
  answer(answering: Answering): void;
  /** Cuts all connections, as a server does that starts anew. */
  hangUp(): void;
  /** Once more does no harm. */
  stop(): Promise<void>;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Listens on free ports of 127.0.0.1. Without a certificate there is no TLS. */
export async function startUpstream(
  answering: Answering,
  certificate?: Certificate,
): Promise<UpstreamServer> {
  let current = answering;
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let isStopped = false;
  const take = async (
    bytes: Uint8Array,
    carrier: UpstreamCarrier,
    port: number,
    socket: Socket | undefined,
    send: (bytes: Uint8Array) => void,
  ): Promise<void> => {
    const message = decodeMessage(bytes);
    if ("fault" in message) throw new Error(`the question is no message: ${message.fault}`);
    const [question] = message.questions;
    if (question === undefined) throw new Error("no question was asked");
    const { type } = question;
    const name = formatDnsName(question.name).toLowerCase();
    const one: Received = { message, bytes, carrier, name, type, port, socket };
    if (name !== ".") received.push(one);
    for (const answer of await current(one)) send(answer);
  };
  const serveStream = (carrier: "tcp" | "tls") => (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let pending = Buffer.alloc(0);
    socket.on("data", (part: Buffer) => {
      pending = Buffer.concat([pending, part]);
      while (pending.length >= 2 && pending.length >= pending.readUInt16BE(0) + 2) {
        const size = pending.readUInt16BE(0);
        const bytes = Uint8Array.from(pending.subarray(2, size + 2));
        pending = pending.subarray(size + 2);
        void take(bytes, carrier, socket.remotePort ?? 0, socket, (answer) => {
          if (!socket.destroyed) socket.write(framed(answer));
        });
      }
    });
  };
  const { tcp, udp } = await bindBoth(serveStream("tcp"));
  const port = portOf(tcp);
  udp.on("message", (bytes, from) => {
    void take(Uint8Array.from(bytes), "udp", from.port, undefined, (answer) => {
      udp.send(answer, from.port, from.address);
    });
  });
  const servers: Server[] = [tcp];
  if (certificate !== undefined) {
    const options = { ...certificate, ALPNProtocols: ["dot"] };
    const tls = createTlsServer(options, serveStream("tls"));
    tls.on("tlsClientError", () => {});
    await listen(tls);
    servers.push(tls);
  }
  return {
    ...{ port, tlsPort: servers[1] === undefined ? 0 : portOf(servers[1]) },
    received,
    connections: () => connections,
    answer: (next) => (current = next),
    hangUp: () => {
      for (const socket of sockets) socket.destroy();
    },
    stop: async () => {
      if (isStopped) return;
      isStopped = true;
      for (const socket of sockets) socket.destroy();
      udp.close();
      await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    },
  };
}

/** A port that is free for TCP and for UDP. */
async function bindBoth(serve: (socket: Socket) => void): Promise<{ tcp: Server; udp: UdpSocket }> {
  for (;;) {
    const tcp = createServer(serve);
    await listen(tcp);
    const udp = createSocket("udp4");
    udp.bind(portOf(tcp), "127.0.0.1");
    const isBound = await new Promise<boolean>((resolve) => {
      udp.once("listening", () => resolve(true));
      udp.once("error", () => resolve(false));
    });
    if (isBound) return { tcp, udp };
    udp.close();
    tcp.close();
  }
}

async function listen(server: Server): Promise<void> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it does not listen");
  return address.port;
}

export function framed(bytes: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(bytes.length + 2);
  frame.writeUInt16BE(bytes.length);
  frame.set(bytes, 2);
  return frame;
}

/** `www.example. 300 A 192.0.2.1` as a record. */
export function recordOf(line: string): DnsRecord {
  const [owner = "", ttl = "", type = "", ...words] = line.split(" ");
  const number = parseType(type);
  const rdata = parseRdata(number, words.join(" "));
  return { owner: parseDnsName(owner), type: number, class: CLASS.IN, ttl: Number(ttl), rdata };
}

export interface Sections {
  readonly answers?: readonly string[];
  readonly authorities?: readonly string[];
  readonly additionals?: readonly string[];
  readonly rcode?: number;
  readonly flags?: Partial<DnsMessage>;
}

/** An answer to a question, its sections as lines. */
export function replyTo({ message }: Received, sections: Sections): Uint8Array {
  const { answers = [], authorities = [], additionals = [], rcode = 0, flags = {} } = sections;
  const bytes = encodeMessage({
    ...message,
    ...{ response: true, recursionAvailable: true, authenticData: false, rcode },
    answers: answers.map(recordOf),
    authorities: authorities.map(recordOf),
    additionals: additionals.map(recordOf),
    ...flags,
  });
  if (bytes === undefined) throw new RangeError("the answer is too long");
  return bytes;
}

/** What a zone of one name server says to names that are not there. */
export const SOA = "example. 600 SOA ns.example. hostmaster.example. 1 3600 600 86400 300";
