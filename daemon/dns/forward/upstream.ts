/** A server that questions are passed on to, and what comes of one attempt. */
import type { Asked } from "../../core/forward/resolution.ts";
import type { UpstreamReply } from "../../core/forward/upstream-reply.ts";

/** Where it is, as the configuration says. */
export interface UpstreamPlace {
  readonly kind: "tls" | "plain";
  /** IP address. */
  readonly address: string;
  readonly port: number;
  /** What its certificate has to name: a name or an IP address. Only with "tls". */
  readonly name: string | undefined;
}

export type Attempt =
  | { readonly kind: "answered"; readonly reply: UpstreamReply }
  /** Nothing that can be believed came in time. `reason` is for people. */
  | { readonly kind: "silent"; readonly reason: string };

export interface Upstream {
  readonly place: UpstreamPlace;
  /** Never rejects; ends after the time-out at the latest. */
  ask(asked: Asked, timeoutMs: number): Promise<Attempt>;
  close(): void;
}

/** `tls://9.9.9.9:853#dns.quad9.net`, `192.168.1.1:53`. */
export function formatUpstream({ kind, address, port, name }: UpstreamPlace): string {
  const place = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  return kind === "tls" ? `tls://${place}#${name ?? ""}` : place;
}
