/**
 * Where a socket that was passed to this process is bound, by the tables of the kernel.
 *
 * Node tells it only of sockets that it has taken over already, and to take over a socket of the
 * wrong kind closes it.
 *
 * Source: proc(5), /proc/net/tcp; the addresses stand in words of the machine's byte order.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { endianness } from "node:os";
import { formatIpv4, formatIpv6 } from "../../protocol/ip-address.ts";
import type { Listen } from "./listen.ts";

export interface SocketPlace extends Listen {
  readonly kind: "udp" | "tcp";
}

const TABLES = ["udp", "udp6", "tcp", "tcp6"] as const;
/** Columns of a line: local address and port, and the number of the socket's inode. */
const LOCAL = 1;
const INODE = 9;

/** Undefined for a file that is no such socket. */
export function socketPlace(fd: number): SocketPlace | undefined {
  const inode = inodeOf(fd);
  if (inode === undefined) return undefined;
  for (const table of TABLES) {
    for (const line of linesOf(table)) {
      const columns = line.trim().split(/\s+/);
      if (columns[INODE] !== inode) continue;
      const [address = "", port = ""] = columns[LOCAL]?.split(":") ?? [];
      const kind = table.startsWith("udp") ? "udp" : "tcp";
      return { kind, address: addressOf(address), port: Number.parseInt(port, 16) };
    }
  }
  return undefined;
}

function inodeOf(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
  } catch {
    return undefined; // there is no such file
  }
}

function linesOf(table: string): readonly string[] {
  try {
    return readFileSync(`/proc/self/net/${table}`, "latin1").split("\n").slice(1);
  } catch {
    return []; // a kernel without IPv6
  }
}

function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  if (endianness() === "LE") bytes.swap32();
  return bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes);
}
