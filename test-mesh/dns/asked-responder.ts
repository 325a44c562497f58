/** A responder for tests that ask it without sockets: nothing is limited unless a test says so. */
import { Responder, type ResponderOptions } from "../../daemon/dns/responder.ts";
import type { Carrier, Client } from "../../daemon/dns/client.ts";
import type { ZoneTree } from "../../daemon/dns/zone-tree.ts";

/** RFC 5737: an address of nobody. */
export const ASKER: Client = {
  carrier: "udp",
  address: Uint8Array.of(192, 0, 2, 200),
  port: 5300,
  view: "public",
};

export interface AskedResponder {
  /** The answer with bytes of its own; undefined for silence. */
  respond(packet: Uint8Array, carrier: Carrier, address?: Uint8Array): Uint8Array | undefined;
  readonly preparedCount: number;
}

export function responderOf(
  zones: ZoneTree,
  options: Partial<ResponderOptions> = {},
): AskedResponder {
  const responder = new Responder({
    zones,
    siteName: "quimper",
    cookieSecrets: [],
    guarded: [],
    forwards: false,
    clock: { wallMs: () => 0, monotonicMs: () => 0 },
    ...options,
  });
  return {
    respond(packet, carrier, address = ASKER.address) {
      const response = responder.respond(packet, { ...ASKER, carrier, address });
      if (response === "silence") return undefined;
      return (response === "request" ? responder.refuse(packet) : response).slice();
    },
    get preparedCount() {
      return responder.preparedCount;
    },
  };
}
