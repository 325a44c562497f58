/** Addresses of the configuration as the mesh takes them. */
import { isIP } from "node:net";
import type { SocketAddress } from "../config/quantities.ts";

/** For example `/ip4/192.0.2.1/tcp/7411`, `/ip6/::/tcp/7411`, `/dns/quimper.example/tcp/7411`. */
export function socketMultiaddr({ address, port }: SocketAddress): string {
  const version = isIP(address);
  const kind = version === 0 ? "dns" : `ip${version}`;
  return `/${kind}/${address}/tcp/${port}`;
}
