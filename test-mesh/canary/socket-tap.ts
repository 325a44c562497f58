/** Stands between commands and a daemon on its control socket and keeps a copy of all bytes. */
import { appendFileSync, mkdirSync } from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { once } from "node:events";
import { join } from "node:path";

/** Copies below the folder of a tap: what commands send, and what they are answered. */
export const SOCKET_DIRECTIONS = ["asked", "answered"] as const;

/**
 * @param listenPath - The socket that commands are configured with.
 * @param daemonPath - The socket of the daemon.
 * @param folder - Made here; gets `asked/N` and `answered/N` for the N-th connection, so that
 *   nothing of one connection stands in the middle of another.
 */
export async function tapSocket(
  listenPath: string,
  daemonPath: string,
  folder: string,
): Promise<Server> {
  for (const direction of SOCKET_DIRECTIONS)
    mkdirSync(join(folder, direction), { recursive: true });
  let connections = 0;
  const server = createServer((client) => {
    const number = String(++connections);
    const daemon = createConnection(daemonPath);
    for (const [direction, from, to] of [
      ["asked", client, daemon],
      ["answered", daemon, client],
    ] as const) {
      from.on("data", (bytes) => appendFileSync(join(folder, direction, number), bytes));
      from.pipe(to);
      from.on("error", () => to.destroy());
    }
  });
  server.listen(listenPath);
  await once(server, "listening");
  return server;
}
