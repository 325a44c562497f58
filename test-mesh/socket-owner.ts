/** Which process of this machine made a TCP connection: what a cable would know on a real network. */
import { readdir, readFile, readlink } from "node:fs/promises";

/**
 * The one of these processes that holds the socket bound to this address, or undefined.
 *
 * Source: proc(5) on /proc/net/tcp: addresses are hexadecimal, IPv4 in the byte order of the host,
 * which is little-endian here.
 */
export async function socketOwner(
  address: string,
  port: number,
  pids: readonly number[],
): Promise<number | undefined> {
  const inode = await inodeOf(address, port);
  if (inode === undefined) return undefined;
  for (const pid of pids) {
    const directory = `/proc/${pid}/fd`;
    for (const name of await readdir(directory).catch(() => [])) {
      const target = await readlink(`${directory}/${name}`).catch(() => "");
      if (target === `socket:[${inode}]`) return pid;
    }
  }
  return undefined;
}

async function inodeOf(address: string, port: number): Promise<string | undefined> {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  const wanted = `${bytes.toReversed().join("")}:${port.toString(16).padStart(4, "0")}`;
  const lines = (await readFile("/proc/net/tcp", "utf8")).split("\n").slice(1);
  for (const line of lines) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.toLowerCase() === wanted && fields[9] !== "0") return fields[9];
  }
  return undefined;
}
