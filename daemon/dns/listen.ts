/** Where to listen, and what to say when that fails. */
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { DnsError } from "./error.ts";

export interface Listen {
  /** An IP address of this machine. */
  readonly address: string;
  /** 0: any free port, the same for UDP and TCP. */
  readonly port: number;
  /** What everybody sees who asks here; without it the client's address decides. */
  readonly view?: ZoneView | undefined;
}

/** `192.0.2.1:53`, `[2001:db8::1]:53`. */
export function formatListen({ address, port }: Listen): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export function listenError(listen: Listen, protocol: "UDP" | "TCP", cause: Error): DnsError {
  const place = `${formatListen(listen)} (${protocol})`;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    return new DnsError("E-DNS-LISTEN", `DNS cannot listen on ${place}: the port is in use.`, {
      hint: `See who has it:  ss -lnp sport = :${listen.port}`,
      cause,
    });
  }
  if (code === "EADDRNOTAVAIL") {
    return new DnsError("E-DNS-LISTEN", `DNS cannot listen on ${place}: no such address here.`, {
      hint: "See the addresses:  ip address",
      cause,
    });
  }
  if (code === "EACCES") {
    return new DnsError("E-DNS-LISTEN", `DNS may not listen on ${place}: not permitted.`, {
      hint: 'Ports below 1024 need a right: see "Port 53" in operations.md. Or choose a higher one.',
      cause,
    });
  }
  return new DnsError("E-DNS-LISTEN", `DNS cannot listen on ${place}: ${cause.message}.`, {
    cause,
  });
}
