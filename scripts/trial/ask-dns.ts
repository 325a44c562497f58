/** Asks one node by DNS over UDP, with a decoder that is not the server's own. */
import { createSocket } from "node:dgram";
import { decode, encode, type Packet, type RecordType } from "dns-packet";

const ANSWER_TIMEOUT_MS = 2000;
const TRIES = 3;

/** The decoded answer of the server. @throws Error after three time-outs. */
export async function askDns(
  address: string,
  port: number,
  name: string,
  type: RecordType,
): Promise<Packet> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await askOnce(address, port, name, type);
    } catch (error) {
      if (attempt === TRIES) throw error;
    }
  }
}

async function askOnce(
  address: string,
  port: number,
  name: string,
  type: RecordType,
): Promise<Packet> {
  const socket = createSocket("udp4");
  const id = Math.floor(Math.random() * 65_536);
  try {
    return await new Promise<Packet>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no answer from ${address} about ${name}`)),
        ANSWER_TIMEOUT_MS,
      );
      socket.once("error", reject);
      socket.on("message", (bytes) => {
        const packet = decode(bytes);
        if (packet.id !== id) return;
        clearTimeout(timer);
        resolve(packet);
      });
      socket.send(encode({ id, type: "query", questions: [{ name, type }] }), port, address);
    });
  } finally {
    socket.close();
  }
}

/** The serial of a zone as a node gives it, or undefined if it gives none. */
export async function serialOf(
  address: string,
  port: number,
  zone: string,
): Promise<number | undefined> {
  const { answers } = await askDns(address, port, zone, "SOA");
  for (const answer of answers ?? []) if (answer.type === "SOA") return answer.data.serial;
  return undefined;
}
