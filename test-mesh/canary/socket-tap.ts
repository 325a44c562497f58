/** Stands between commands and a daemon on its control socket and keeps a copy of all bytes. */
import { appendFileSync } from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { once } from "node:events";

/**
 * @param listenPath - The socket that commands are configured with.
 * @param daemonPath - The socket of the daemon.
 * @param copyFile - Gets the bytes of both directions.
 */
export async function tapSocket(
  listenPath: string,
  daemonPath: string,
  copyFile: string,
): Promise<Server> {
  const server = createServer((client) => {
    const daemon = createConnection(daemonPath);
    for (const [from, to] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      from.on("data", (bytes) => appendFileSync(copyFile, bytes));
      from.pipe(to);
      from.on("error", () => to.destroy());
    }
  });
  server.listen(listenPath);
  await once(server, "listening");
  return server;
}
