/**
 * Zone files as text: what any other server of DNS reads.
 *
 * Source: RFC 1035 section 5; RFC 3597 section 5 for types that are opaque to us.
 */
import { formatDnsName, formatRelative, type DnsName } from "./dns-name.ts";
import { formatType, TYPE } from "./dns-type.ts";
import { toHex } from "../ids.ts";
import { formatRdata } from "./rdata.ts";

/** Types that Knot does not know by name: RFC 3597 has a form that every server reads. */
const KNOWN_TO_FEW: ReadonlySet<number> = new Set<number>([
  TYPE.MB,
  TYPE.MG,
  TYPE.MR,
  TYPE.WKS,
  TYPE.X25,
  TYPE.ISDN,
  TYPE.NSAP,
  TYPE.PX,
  TYPE.GPOS,
  TYPE.HIP,
  TYPE.AMTRELAY,
  TYPE.DLV,
]);

/** One record, or several of one name and type. */
export interface PrintedSet {
  /** At or below the zone's own name. */
  readonly owner: DnsName;
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  readonly rdata: readonly Uint8Array[];
}

/** A line for each record: the SOA first, then the rest of the zone's own name, then by name. */
export function formatZoneFile(apex: DnsName, sets: Iterable<PrintedSet>): string {
  const rows: { readonly rank: number; readonly sort: string; readonly line: string }[] = [];
  for (const { owner, type, ttl, rdata } of sets) {
    const name = formatRelative(owner, apex);
    const rank = type === TYPE.SOA ? 0 : name === "@" ? 1 : 2;
    // Names that are below one another stand together.
    const sort = name === "@" ? "" : name.split(".").toReversed().join(".");
    for (const bytes of rdata) {
      const text = `${ttl}\tIN\t${typeAndData(type, bytes)}`;
      rows.push({ rank, sort: `${sort} ${text}`, line: `${name}\t${text}\n` });
    }
  }
  rows.sort((a, b) => a.rank - b.rank || (a.sort < b.sort ? -1 : a.sort > b.sort ? 1 : 0));
  return `$ORIGIN ${formatDnsName(apex)}\n${rows.map(({ line }) => line).join("")}`;
}

function typeAndData(type: number, rdata: Uint8Array): string {
  if (!KNOWN_TO_FEW.has(type)) return `${formatType(type)}\t${formatRdata(type, rdata)}`;
  return `TYPE${type}\t\\# ${rdata.length} ${toHex(rdata)}`;
}
