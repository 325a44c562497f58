/** One question to another DNS server over UDP, and its answer. */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Clock } from "../core/clock.ts";

export interface Server {
  /** IP address. */
  readonly address: string;
  readonly port: number;
}

/**
 * Sends a packet and waits for an answer with its id from where it went.
 *
 * @returns Undefined when none came in time, or the server cannot be reached.
 */
export function askUdp(
  { address, port }: Server,
  packet: Uint8Array,
  timeoutMs: number,
  clock: Clock,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    const cancel = clock.after(timeoutMs, () => finish(undefined));
    let isOver = false;
    const finish = (answer: Uint8Array | undefined): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      socket.close();
      resolve(answer);
    };
    socket.on("error", () => finish(undefined));
    socket.on("message", (answer) => {
      const isAnswer = answer.length >= 12 && ((answer[2] ?? 0) & 0x80) !== 0;
      if (isAnswer && answer[0] === packet[0] && answer[1] === packet[1]) finish(answer);
    });
    // Connected, the socket hears this server only.
    socket.connect(port, address, (error?: Error) => {
      if (isOver) return;
      if (error !== undefined) finish(undefined);
      else socket.send(packet, (failure) => (failure === null ? undefined : finish(undefined)));
    });
  });
}
