/** A DNS server that questions are passed on to, as people write it. */
import { isIP } from "node:net";

export interface UpstreamConfig {
  readonly kind: "tls" | "plain";
  /** IP address. */
  readonly address: string;
  /** Default: 853 over TLS, else 53. */
  readonly port: number;
  /** What the certificate has to name; with "tls" only. */
  readonly name: string | undefined;
}

const TLS = "tls://";
const PORTS = { tls: 853, plain: 53 } as const;
const HOST =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;

/** The server, or why the text names none (a phrase without a final stop). */
export function parseUpstream(text: string): UpstreamConfig | { readonly reason: string } {
  const kind = text.startsWith(TLS) ? "tls" : "plain";
  const [place = "", name, ...more] = text.slice(kind === "tls" ? TLS.length : 0).split("#");
  const scheme = /^([a-z]+):\/\//i.exec(place)?.[1];
  if (scheme !== undefined) return { reason: `${scheme} is not spoken here; tls is` };
  if (more.length > 0) return { reason: '"#" stands twice' };
  if (kind === "plain" && name !== undefined) {
    return { reason: `a name is checked over TLS only; write tls://${text}` };
  }
  if (kind === "tls" && name === undefined) {
    return { reason: "the name in its certificate is missing behind #" };
  }
  if (name !== undefined && isIP(name) === 0 && !HOST.test(name)) {
    return { reason: `"${name}" is not the name of a host` };
  }
  const found = splitPort(place);
  if (found === undefined || isIP(found.address) === 0) {
    return { reason: `"${place}" is not an IP address, with or without a port` };
  }
  const port = found.port ?? PORTS[kind];
  if (port < 1 || port > 65_535) return { reason: `${port} is not a port` };
  return { kind, address: found.address, port, name };
}

/** `9.9.9.9`, `9.9.9.9:53`, `2620:fe::fe`, `[2620:fe::fe]`, `[2620:fe::fe]:53`. */
function splitPort(text: string): { address: string; port: number | undefined } | undefined {
  if (isIP(text) > 0) return { address: text, port: undefined };
  const [, v6, other, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([0-9]{1,6}))?$/.exec(text) ?? [];
  const address = v6 ?? other;
  if (address === undefined || (v6 !== undefined && isIP(v6) !== 6)) return undefined;
  return { address, port: digits === undefined ? undefined : Number(digits) };
}
