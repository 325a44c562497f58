/**
 * Addresses that lead into somebody's own network.
 *
 * A page from outside whose name suddenly has such an address could talk to the boxes of the LAN in
 * the name of whoever reads it (DNS rebinding). So no public name gets one here.
 *
 * Source: IANA special-purpose address registries (RFC 6890); RFC 4193, RFC 6598, RFC 6052.
 */
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { readDnsName } from "../../../protocol/dns/dns-name.ts";
import type { RRset } from "../zones/zone.ts";

/** First bytes, and how many bits of them count. */
type Prefix = readonly [bytes: readonly number[], bits: number];

const IPV4: readonly Prefix[] = [
  [[0], 8], // this network; Linux takes it for the machine itself
  [[10], 8],
  [[100, 64], 10], // inside of providers and of mesh networks
  [[127], 8],
  [[169, 254], 16],
  [[172, 16], 12],
  [[192, 168], 16],
];

const IPV6: readonly Prefix[] = [
  [[0xfc], 7],
  [[0xfe, 0x80], 10],
  [[0xfe, 0xc0], 10], // once site-local
  [[0x00, 0x64, 0xff, 0x9b, 0x00, 0x01], 48], // translated inside of a network (RFC 8215)
];
/** Whatever is in them: nobody has a reason to give addresses of these two in public. */
const ZEROS = Array.from({ length: 10 }, () => 0);
const MAPPED: Prefix = [[...ZEROS, 0xff, 0xff], 96];
const COMPATIBLE: Prefix = [[...ZEROS, 0, 0], 96];
/** With an IPv4 address in them, at the place of the byte. */
const TRANSLATED: readonly (readonly [Prefix, at: number])[] = [
  [[[0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], 96], 12],
  [[[0x20, 0x02], 16], 2], // 6to4
];

function isIn(address: Uint8Array, [bytes, bits]: Prefix): boolean {
  for (let at = 0; at * 8 < bits; at++) {
    const left = Math.min(8, bits - at * 8);
    const mask = (0xff << (8 - left)) & 0xff;
    if (((address[at] ?? 0) & mask) !== ((bytes[at] ?? 0) & mask)) return false;
  }
  return true;
}

/** @param address - 4 or 16 bytes; of any other size it is no address, and private. */
export function isPrivateAddress(address: Uint8Array): boolean {
  if (address.length === 4) return IPV4.some((prefix) => isIn(address, prefix));
  if (address.length !== 16) return true;
  if ([...IPV6, MAPPED, COMPATIBLE].some((prefix) => isIn(address, prefix))) return true;
  return TRANSLATED.some(
    ([prefix, at]) => isIn(address, prefix) && isPrivateAddress(address.subarray(at, at + 4)),
  );
}

/** RFC 9460 section 14.3.2. */
const HINTS: ReadonlyMap<number, number> = new Map([
  [4, 4],
  [6, 16],
]);

/** Whether data of the type hold a private address: of A, AAAA, and the hints of SVCB and HTTPS. */
export function leadsInside(type: number, rdata: Uint8Array): boolean {
  if (type === TYPE.A || type === TYPE.AAAA) return isPrivateAddress(rdata);
  if (type !== TYPE.SVCB && type !== TYPE.HTTPS) return false;
  const target = readDnsName(rdata, 2);
  // What cannot be read could be read by somebody else.
  if (target === undefined) return true;
  for (let at = 2 + target.length; at < rdata.length;) {
    if (at + 4 > rdata.length) return true;
    const key = ((rdata[at] ?? 0) << 8) | (rdata[at + 1] ?? 0);
    const start = at + 4;
    at = start + (((rdata[at + 2] ?? 0) << 8) | (rdata[at + 3] ?? 0));
    if (at > rdata.length) return true;
    const size = HINTS.get(key);
    if (size === undefined) continue;
    for (let hint = start; hint < at; hint += size) {
      if (isPrivateAddress(rdata.subarray(hint, Math.min(hint + size, at)))) return true;
    }
  }
  return false;
}

/** The sets without data that lead inside; the same list when there are none. */
export function withoutPrivate(sets: readonly RRset[]): readonly RRset[] {
  if (!sets.some(({ type, rdata }) => rdata.some((data) => leadsInside(type, data)))) return sets;
  return sets.flatMap((set) => {
    const rdata = set.rdata.filter((data) => !leadsInside(set.type, data));
    if (rdata.length === set.rdata.length) return [set];
    return rdata.length === 0 ? [] : [{ ...set, rdata }];
  });
}
