/**
 * Asks one DNS server one question over UDP, and again over TCP when the answer is cut off.
 *
 * The answer comes from outside, and the decoder allocates by the counts in its head, so they are
 * checked against its size first.
 */
import { createSocket } from "node:dgram";
import { randomInt } from "node:crypto";
import { connect, isIPv6 } from "node:net";
import { decode, encode, type DecodedPacket, type Packet } from "dns-packet";
import { readDnsName } from "../../../protocol/dns/dns-name.ts";
import { parseType } from "../../../protocol/dns/dns-type.ts";
import { CommandError } from "../shell/exit.ts";

export interface DnsServerAddress {
  readonly address: string;
  readonly port: number;
}

/** Two lost packets are one too many for a server on the same machine or mesh. */
const TIMEOUT_MS = 3000;
/** Header bytes, and the fewest that a record and a question take. */
const HEADER_BYTES = 12;
const MIN_RECORD_BYTES = 11;

/** @throws CommandError (E-DNS-ASK) when no usable answer comes in time. */
export async function askDns(
  server: DnsServerAddress,
  name: string,
  type: string,
): Promise<DecodedPacket> {
  if (name.includes("\\")) {
    throw new CommandError("E-DNS-ASK", `${name} has bytes that this command cannot ask for.`);
  }
  const id = randomInt(65_536);
  const question: Packet = {
    type: "query",
    id,
    questions: [{ name: name.replace(/\.$/, ""), type: "A" }],
    additionals: [{ ...OPT, options: [] }],
  };
  const bytes = encode(question);
  // The encoder knows few types and writes 0 for the others.
  const nameBytes = readDnsName(bytes, HEADER_BYTES)?.length ?? 0;
  bytes.writeUInt16BE(parseType(type), HEADER_BYTES + nameBytes);
  const udp = decodeAnswer(await overUdp(server, bytes, id), server);
  if (!udp.flag_tc) return udp;
  return decodeAnswer(await overTcp(server, bytes), server);
}

const OPT = {
  type: "OPT",
  name: ".",
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
} as const;

function place({ address, port }: DnsServerAddress): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function failure(server: DnsServerAddress, reason: string): CommandError {
  return new CommandError("E-DNS-ASK", `The DNS server ${place(server)} ${reason}.`, {
    hint: "Does it run and listen there?  pleach status",
  });
}

function decodeAnswer(bytes: Buffer, server: DnsServerAddress): DecodedPacket {
  const counts = [6, 8, 10].reduce(
    (sum, at) => sum + (bytes.length > at + 1 ? bytes.readUInt16BE(at) : 0),
    0,
  );
  const room = Math.floor((bytes.length - HEADER_BYTES) / MIN_RECORD_BYTES);
  if (bytes.length < HEADER_BYTES || bytes.readUInt16BE(4) > 1 || counts > room) {
    throw failure(server, "sent no DNS answer");
  }
  try {
    return decode(bytes);
  } catch {
    throw failure(server, "sent an answer that cannot be read");
  }
}

function overUdp(server: DnsServerAddress, question: Buffer, id: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.address) ? "udp6" : "udp4");
    const timer = setTimeout(() => end(failure(server, "gave no answer")), TIMEOUT_MS);
    const end = (outcome: Buffer | Error): void => {
      clearTimeout(timer);
      socket.close();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.on("error", (error: NodeJS.ErrnoException) => {
      end(failure(server, error.code === "ECONNREFUSED" ? "does not listen" : "cannot be reached"));
    });
    socket.on("message", (answer) => {
      if (answer.length >= 2 && answer.readUInt16BE(0) === id) end(answer);
    });
    socket.connect(server.port, server.address, () => socket.send(question));
  });
}

function overTcp(server: DnsServerAddress, question: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: server.port, host: server.address });
    let received: Buffer = Buffer.alloc(0);
    const end = (outcome: Buffer | Error): void => {
      socket.destroy();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.setTimeout(TIMEOUT_MS, () => end(failure(server, "gave no answer over TCP")));
    socket.on("error", () => end(failure(server, "cannot be reached over TCP")));
    socket.on("end", () => end(failure(server, "broke off its answer")));
    socket.on("connect", () => {
      const size = Buffer.alloc(2);
      size.writeUInt16BE(question.length);
      socket.write(Buffer.concat([size, question]));
    });
    socket.on("data", (part: Buffer) => {
      received = Buffer.concat([received, part]);
      if (received.length < 2) return;
      const wanted = received.readUInt16BE(0);
      if (received.length >= wanted + 2) end(received.subarray(2, wanted + 2));
    });
  });
}
