/** A Unix socket in front of another one, which keeps every byte that passes in a file. */
import { createWriteStream } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";

export interface SocketTap {
  /** Connect here. */
  readonly path: string;
  close(): Promise<void>;
}

/** @param recordFile - Takes both directions, as they come. */
export async function tapSocket(
  path: string,
  behind: string,
  recordFile: string,
): Promise<SocketTap> {
  const record = createWriteStream(recordFile);
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = createConnection(behind);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on("data", (bytes: Buffer) => record.write(bytes));
      from.on("error", () => to.destroy());
      from.on("close", () => open.delete(from));
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await new Promise<void>((resolve) => record.end(resolve));
    },
  };
}
