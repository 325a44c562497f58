/**
 * Names that no server outside is asked for: they mean something here, or nothing anywhere.
 *
 * Zones that are served here, and zones that the configuration sends to a server of its own, come
 * first: whoever has `home.arpa` or the reverse of 192.168.1.0/24 as a zone is answered from it.
 *
 * Source: RFC 6761 (localhost, invalid, test), RFC 6762 section 22 (local), RFC 6303 and RFC 7793
 * (reverse zones of private networks), RFC 7686 (onion), RFC 8375 (home.arpa), RFC 9476 (alt), RFC 9462
 * section 6.1 (resolver.arpa), ICANN's decision of 2024 (internal), Mozilla's canary domain.
 */
import { RCODE } from "../../../protocol/dns/dns-code.ts";
import {
  countLabels,
  nameKey,
  parseDnsName,
  type DnsName,
} from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { RRset } from "../zones/zone.ts";
import { failure, type Resolution } from "./resolution.ts";

/** "empty": the apex exists and nothing below it; "quiet": nothing has records, and all names exist. */
type Kind = "empty" | "quiet" | "loopback";

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const zeros = (count: number): string => "0.".repeat(count);

const EMPTY_ZONES: readonly string[] = [
  ...["invalid", "test", "local", "onion", "internal", "alt", "home.arpa"],
  // So that browsers ask here and not a server of their choice, which knows no name of the LAN.
  "use-application-dns.net",
  ...["0", "127", "10", "254.169", "168.192", "2.0.192", "100.51.198", "113.0.203"].map(reverse4),
  ...range(16, 31).map((second) => reverse4(`${second}.172`)),
  ...range(64, 127).map((second) => reverse4(`${second}.100`)),
  reverse4("255.255.255.255"),
  ...[`${zeros(32)}ip6.arpa`, `1.${zeros(31)}ip6.arpa`],
  ...["d.f", "8.e.f", "9.e.f", "a.e.f", "b.e.f", "8.b.d.0.1.0.0.2"].map(
    (name) => `${name}.ip6.arpa`,
  ),
];

function reverse4(name: string): string {
  return `${name}.in-addr.arpa`;
}

const SPECIAL: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...EMPTY_ZONES.map((name) => [keyOf(name), "empty"] as const),
  [keyOf("localhost"), "loopback"],
  [keyOf("resolver.arpa"), "quiet"],
]);

function keyOf(name: string): string {
  return nameKey(parseDnsName(name));
}

const LOOPBACK: ReadonlyMap<number, Uint8Array> = new Map([
  [TYPE.A, Uint8Array.of(127, 0, 0, 1)],
  [TYPE.AAAA, Uint8Array.of(...Array.from({ length: 15 }, () => 0), 1)],
]);
const LOOPBACK_REVERSE: ReadonlySet<string> = new Set([
  keyOf("1.0.0.127.in-addr.arpa"),
  keyOf(`1.${zeros(31)}ip6.arpa`),
]);

/** RFC 6303 section 3, as are the numbers of the SOA record. */
const TTL_SECONDS = 10_800;
const SOA_NUMBERS: readonly number[] = [1, 3600, 1200, 604_800, TTL_SECONDS];
const MAILBOX = parseDnsName("nobody.invalid");

/** Asked for a single label, these would ask the world for the name of a box on the LAN. */
const ADDRESS_TYPES: ReadonlySet<number> = new Set<number>([
  TYPE.A,
  TYPE.AAAA,
  TYPE.SVCB,
  TYPE.HTTPS,
]);

/** The answer to a question that stays here; undefined for all others. */
export function specialAnswer(name: DnsName, type: number): Resolution | undefined {
  const labels = countLabels(name);
  for (let above = 0; above < labels; above++) {
    const kind = SPECIAL.get(nameKey(name, above));
    if (kind === undefined) continue;
    // RFC 8375 section 4: that it is not signed is to be learnt from the root's servers.
    if (type === TYPE.DS && above === 0 && nameKey(name) === keyOf("home.arpa")) return undefined;
    return answerOf(kind, name, above, type);
  }
  // Not NXDOMAIN, which would say that all names below do not exist, either (RFC 8020).
  if (labels === 1 && ADDRESS_TYPES.has(type)) return failure(RCODE.NOERROR, undefined);
  return undefined;
}

function answerOf(kind: Kind, name: DnsName, above: number, type: number): Resolution {
  const apex = apexOf(name, above);
  if (kind === "loopback") {
    const address = LOOPBACK.get(type);
    if (address !== undefined) return found(name, type, address);
  }
  if (LOOPBACK_REVERSE.has(nameKey(name))) {
    if (type === TYPE.PTR) return found(name, type, parseDnsName("localhost"));
    return denied(apex, RCODE.NOERROR);
  }
  if (above === 0 && type === TYPE.SOA) return found(apex, type, soaData(apex));
  if (above === 0 && type === TYPE.NS) return found(apex, type, apex);
  return denied(apex, above === 0 || kind !== "empty" ? RCODE.NOERROR : RCODE.NXDOMAIN);
}

function apexOf(name: DnsName, above: number): DnsName {
  let at = 0;
  for (let left = above; left > 0; left--) at += (name[at] ?? 0) + 1;
  return name.slice(at) as DnsName;
}

function found(owner: DnsName, type: number, data: Uint8Array): Resolution {
  const set: RRset = { owner, type, ttl: TTL_SECONDS, rdata: [data] };
  return { ...failure(RCODE.NOERROR, undefined), answers: [set] };
}

function denied(apex: DnsName, rcode: number): Resolution {
  const soa: RRset = { owner: apex, type: TYPE.SOA, ttl: TTL_SECONDS, rdata: [soaData(apex)] };
  return { ...failure(rcode, undefined), authorities: [soa] };
}

function soaData(apex: DnsName): Uint8Array {
  const numbers = Buffer.alloc(SOA_NUMBERS.length * 4);
  for (const [index, value] of SOA_NUMBERS.entries()) numbers.writeUInt32BE(value, index * 4);
  return Uint8Array.from(Buffer.concat([apex, MAILBOX, numbers]));
}
