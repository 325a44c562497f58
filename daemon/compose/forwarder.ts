/** The forwarder of this node, as the configuration wants it. */
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import type { ForwardConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { DnsError } from "../dns/error.ts";
import type { Forwarder } from "../dns/forward/forwarder.ts";
import { openForwarder } from "../dns/forward/open-forwarder.ts";
import type { Logger } from "../observe/log.ts";

/** @throws DnsError (E-DNS-UPSTREAM) when the certificates cannot be read. */
export function forwarderOf(config: ForwardConfig, clock: Clock, log: Logger): Forwarder {
  const { upstreams, zones, allowPrivate, cacheBytes, staleMs, authorities } = config;
  return openForwarder({
    upstreams,
    zones: zones.map((zone) => ({ ...zone, apex: parseDnsName(zone.name) })),
    allowPrivate: allowPrivate.map((name) => parseDnsName(name)),
    cache: { maxBytes: cacheBytes, staleMs },
    authorities: authorities === undefined ? undefined : readAuthorities(authorities),
    ...{ clock, log },
  });
}

function readAuthorities(file: string): string {
  try {
    const text = readFileSync(file, "utf8");
    if (!text.includes("-----BEGIN CERTIFICATE-----")) throw new Error("it holds no certificate");
    createSecureContext({ ca: text });
    return text;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `The certificates that upstreams are checked by cannot be read from ${file} (${why}).`;
    const hint = "[dns.forward] authorities names a PEM file that the user of the daemon can read.";
    throw new DnsError("E-DNS-UPSTREAM", message, { hint, cause });
  }
}
