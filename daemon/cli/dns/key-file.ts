/** A TSIG key as text, in the form of the program that is to use it. */
import type { TsigAlgorithm } from "../../../protocol/dns/tsig.ts";

/** `bind` is what `nsupdate -k` and `dig -k` read, too. */
export const KEY_FORMATS = ["bind", "knot", "nsd", "certbot"] as const;
export type KeyFormat = (typeof KEY_FORMATS)[number];

export interface KeyText {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  /** Base64. */
  readonly secret: string;
  /** Where this node answers, for certbot. */
  readonly server: { readonly address: string; readonly port: number };
}

export function keyFile(format: KeyFormat, { name, algorithm, secret, server }: KeyText): string {
  switch (format) {
    case "bind":
      return `key "${name}" {\n\talgorithm ${algorithm};\n\tsecret "${secret}";\n};\n`;
    case "knot":
      return `key:\n  - id: ${name}\n    algorithm: ${algorithm}\n    secret: ${secret}\n`;
    case "nsd":
      return `key:\n  name: "${name}"\n  algorithm: ${algorithm}\n  secret: "${secret}"\n`;
    case "certbot":
      return [
        `dns_rfc2136_server = ${server.address}`,
        `dns_rfc2136_port = ${server.port}`,
        `dns_rfc2136_name = ${name}.`,
        `dns_rfc2136_secret = ${secret}`,
        `dns_rfc2136_algorithm = ${algorithm.toUpperCase()}`,
        "",
      ].join("\n");
  }
}

/** The secret in a key file of BIND, Knot or NSD, or in a file that holds nothing else. */
export function secretIn(text: string): string | undefined {
  const found = /\bsecret:?\s+"?([A-Za-z0-9+/]+={0,2})"?/.exec(text)?.[1];
  return found ?? /^\s*([A-Za-z0-9+/]+={0,2})\s*$/.exec(text)?.[1];
}
