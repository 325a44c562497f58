/** A TCP proxy that lets bytes through at the rate of a slow uplink, in one direction. */
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";

const TICK_MS = 20;

export interface SlowLine {
  readonly port: number;
  readonly passedBytes: () => number;
  close(): void;
}

/** @param bytesPerSecond - What passes from the caller to the target; the way back is fast. */
export async function slowLine(targetPort: number, bytesPerSecond: number): Promise<SlowLine> {
  const sockets = new Set<Socket>();
  let passed = 0;
  const server = createServer((caller) => {
    const target = connect(targetPort, "127.0.0.1");
    for (const socket of [caller, target]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy());
    }
    target.pipe(caller);
    caller.on("close", () => target.destroy());
    target.on("close", () => caller.destroy());
    // Reads only what may pass now, so that the rest waits with its sender, as on a real line.
    let allowance = 0;
    const tick = setInterval(() => {
      allowance = Math.min(allowance + (bytesPerSecond * TICK_MS) / 1000, bytesPerSecond / 10);
      while (allowance >= 1) {
        const size = Math.min(caller.readableLength, Math.floor(allowance));
        const chunk = size > 0 ? (caller.read(size) as Buffer | null) : (caller.read(0), null);
        if (chunk === null) break;
        allowance -= chunk.length;
        passed += chunk.length;
        target.write(chunk);
      }
    }, TICK_MS);
    caller.on("close", () => clearInterval(tick));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    passedBytes: () => passed,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
