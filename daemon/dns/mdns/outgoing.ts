/** What goes in and out of a responder: packets, with who sent them or is to get them. */

export const MDNS_PORT = 5353;

/** IPv4 and IPv6 are two ways to the same hosts; an answer goes back by the one that was asked. */
export type Family = 4 | 6;

export interface Sender {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
}

export interface Outgoing {
  readonly bytes: Uint8Array;
  /** The group by both ways or by one, or one host. */
  readonly to: "group" | { readonly group: Family } | Sender;
}

export function toGroup(packets: readonly Uint8Array[]): readonly Outgoing[] {
  return packets.map((bytes) => ({ bytes, to: "group" }));
}
