/** Who asks, and by which way: what cookies and limits go by. */
import type { DnsName } from "../../protocol/dns/dns-name.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "../../protocol/ip-address.ts";

export type Carrier = "udp" | "tcp";

export interface Client {
  readonly carrier: Carrier;
  /** 4 or 16 bytes. Over UDP it may be a lie. */
  readonly address: Uint8Array;
  readonly port: number;
  /** What it gets to see. */
  readonly view: ZoneView;
  /** The key that has signed the question shows something else of its own zones. */
  readonly keyed?: KeyView | undefined;
}

/**
 * What a key shows of a zone, by its apex; undefined for a zone that the key is not for. A key makes
 * nobody a client of the LAN: names of others, and zones of others, it shows nothing of.
 */
export type KeyView = (apex: DnsName) => ZoneView | undefined;

/** Askers come again; their addresses are parsed once. Bounds what a flood of new ones keeps. */
const MAX_KNOWN = 4096;
const known = new Map<string, Uint8Array>();

/** The bytes of an address as the operating system prints it, its zone index left out. */
export function addressBytes(text: string): Uint8Array {
  const found = known.get(text);
  if (found !== undefined) return found;
  const plain = text.replace(/%.*$/, "");
  const parsed = plain.includes(":") ? parseIpv6(plain) : parseIpv4(plain);
  const bytes = "bytes" in parsed ? parsed.bytes : new Uint8Array(16);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, bytes);
  return bytes;
}

export function formatAddress(address: Uint8Array): string {
  return address.length === 4 ? formatIpv4(address) : formatIpv6(address);
}

/**
 * Text that is the same for all addresses that one customer of a provider has: of IPv6 the first 64
 * bits, which a single machine may take any address in.
 */
export function networkKey(address: Uint8Array): string {
  return formatAddress(
    address.length === 4 ? address : address.map((byte, at) => (at < 8 ? byte : 0)),
  );
}

/** Whether the address is of this machine itself: nobody else can send from it. */
export function isLoopback(address: Uint8Array): boolean {
  if (address.length === 4) return address[0] === 127;
  for (let at = 0; at < 15; at++) if (address[at] !== 0) return false;
  return address[15] === 1;
}
