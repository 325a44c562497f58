/**
 * Many questions to one server over UDP, from many addresses of this machine.
 *
 * The server limits what it answers to one network, so the questions come from several.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/** Networks of 127.0.0.0/8 that the questions come from. */
const NETWORKS = 64;
const ATTEMPTS = 4;
const TIMEOUT_MS = 1500;

export class ManyAskers {
  readonly #port: number;
  readonly #address: string;
  readonly #sockets: readonly Socket[];
  readonly #waiting = new Map<string, (answer: Uint8Array) => void>();
  #next = 0;

  private constructor(address: string, port: number, sockets: readonly Socket[]) {
    this.#address = address;
    this.#port = port;
    this.#sockets = sockets;
    for (const [index, socket] of sockets.entries()) {
      socket.on("message", (answer) => {
        if (answer.length >= 2) this.#waiting.get(`${index} ${answer.readUInt16BE(0)}`)?.(answer);
      });
    }
  }

  /** @param address - An IPv4 address of the loopback network. */
  static async open(address: string, port: number): Promise<ManyAskers> {
    const sockets: Socket[] = [];
    for (let network = 0; network < NETWORKS; network++) {
      const socket = createSocket("udp4");
      socket.bind({ address: `127.${200 + (network >> 5)}.${network}.1`, port: 0 });
      await once(socket, "listening");
      sockets.push(socket);
    }
    return new ManyAskers(address, port, sockets);
  }

  /** @param question - A packet; its id is replaced. @returns The answer; undefined for none. */
  async ask(question: Uint8Array): Promise<Uint8Array | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answer = await this.#once(question);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  #once(question: Uint8Array): Promise<Uint8Array | undefined> {
    const number = this.#next++;
    const index = number % NETWORKS;
    const id = Math.floor(number / NETWORKS) % 65_536;
    const packet = Buffer.from(question);
    packet.writeUInt16BE(id, 0);
    return new Promise((resolve) => {
      const key = `${index} ${id}`;
      const end = (answer: Uint8Array | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(key);
        resolve(answer);
      };
      const timer = setTimeout(() => end(undefined), TIMEOUT_MS);
      this.#waiting.set(key, end);
      this.#sockets[index]?.send(packet, this.#port, this.#address);
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}
