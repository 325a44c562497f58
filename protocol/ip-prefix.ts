/**
 * Networks: an address and how many of its first bits count, as `192.168.0.0/16` or `fd00::/8`.
 *
 * An IPv4 address that is written within IPv6 (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is the
 * IPv4 address: sockets of both families hand such addresses over.
 *
 * Source: RFC 4632 section 3.1, RFC 4291 section 2.3.
 */
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "./ip-address.ts";

export interface IpPrefix {
  /** 4 or 16; never 16 with an IPv4 address in them. Bits behind the first {@link bits} are 0. */
  readonly bytes: Uint8Array;
  /** 0 to 32, or to 128. */
  readonly bits: number;
}

const MAPPED_BITS = 96;

/** The prefix, or why the text is none (a phrase without a final stop). A bare address is all of its bits. */
export function parseIpPrefix(text: string): IpPrefix | { readonly reason: string } {
  const [, addressText = "", bitsText] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (addressText === "") return { reason: "it is not ADDRESS/BITS" };
  const parsed = addressText.includes(":") ? parseIpv6(addressText) : parseIpv4(addressText);
  if ("reason" in parsed) return parsed;
  const most = parsed.bytes.length * 8;
  const bits = bitsText === undefined ? most : Number(bitsText);
  if (bits > most) return { reason: `it has at most ${most} bits` };
  const first = withoutHost(parsed.bytes, bits);
  if (first.some((byte, index) => byte !== parsed.bytes[index])) {
    return { reason: `the network of ${bits} bits is ${formatIpPrefix({ bytes: first, bits })}` };
  }
  const isMapped = isMappedAddress(first) && bits >= MAPPED_BITS;
  return isMapped ? { bytes: first.slice(12), bits: bits - MAPPED_BITS } : { bytes: first, bits };
}

function withoutHost(bytes: Uint8Array, bits: number): Uint8Array {
  return bytes.map((byte, index) => byte & maskOf(bits - index * 8));
}

/** Of one byte that `bits` bits are left for. */
function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 8 ? 0xff : (0xff << (8 - bits)) & 0xff;
}

/** Whether an address of 4 or 16 bytes is in the network. Allocates nothing. */
export function isInPrefix({ bytes, bits }: IpPrefix, address: Uint8Array): boolean {
  const start = isMappedAddress(address) ? 12 : 0;
  if (address.length - start !== bytes.length) return false;
  for (let at = 0; at * 8 < bits; at++) {
    const differing = (address[start + at] ?? 0) ^ (bytes[at] ?? 0);
    if ((differing & maskOf(bits - at * 8)) !== 0) return false;
  }
  return true;
}

function isMappedAddress(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let at = 0; at < 10; at++) if (bytes[at] !== 0) return false;
  return true;
}

export function formatIpPrefix({ bytes, bits }: IpPrefix): string {
  return `${bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes)}/${bits}`;
}
