/**
 * The records by which a service of this site is found on the LAN without any DNS server.
 *
 * `LABEL.local` has its addresses. Each named port is a service of DNS-SD: a pointer from its type
 * to `LABEL._https._tcp.local`, and there host, port and an empty description. What exists of a
 * name that is ours alone is told by NSEC, so that nobody waits for an AAAA that there is not.
 *
 * Source: RFC 6762 sections 6.1 and 10; RFC 6763 sections 4 to 9.
 */
import { parseDnsName, nameKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { parseRdata } from "../../../protocol/dns/rdata.ts";
import { typeBitmap } from "../../../protocol/dns/type-bitmap.ts";

/** A service of this site as one link sees it. */
export interface LocalService {
  /** A DNS label. */
  readonly name: string;
  /** One or more. */
  readonly addresses: readonly string[];
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly transport: "tcp" | "udp";
  }[];
}

export interface MdnsRecord {
  readonly owner: DnsName;
  /** {@link nameKey} of the owner. */
  readonly key: string;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: Uint8Array;
  /** Ours alone; others may have a pointer of the same name, too. */
  readonly unique: boolean;
}

/** RFC 6762 section 10: 120 s where the name or address of a host is in it, else 75 minutes. */
const HOST_TTL_SECONDS = 120;
const OTHER_TTL_SECONDS = 75 * 60;
/** RFC 6763 section 9: what lists the types that there are. */
const TYPES_NAME = "_services._dns-sd._udp.local.";

/** @param label - Its name, or what it is called where that is taken. */
export function serviceRecords(label: string, service: LocalService): readonly MdnsRecord[] {
  const host = `${label}.local.`;
  const records = service.addresses.map((address) =>
    record(host, address.includes(":") ? TYPE.AAAA : TYPE.A, HOST_TTL_SECONDS, address, true),
  );
  const seen = new Set<string>();
  for (const { name, port, transport } of service.ports) {
    const type = `_${name.toLowerCase()}._${transport}.local.`;
    // RFC 6763 section 7: one instance of a name and a type.
    if (!isServiceName(name) || seen.has(type)) continue;
    seen.add(type);
    const instance = `${label}.${type}`;
    records.push(
      record(TYPES_NAME, TYPE.PTR, OTHER_TTL_SECONDS, type, false),
      record(type, TYPE.PTR, OTHER_TTL_SECONDS, instance, false),
      record(instance, TYPE.SRV, HOST_TTL_SECONDS, `0 0 ${port} ${host}`, true),
      // RFC 6763 section 6.1: an empty one has a single empty string.
      record(instance, TYPE.TXT, OTHER_TTL_SECONDS, '""', true),
    );
  }
  return records;
}

/** What else exists at a name that is ours alone: nothing. */
export function denialOf(records: readonly MdnsRecord[]): MdnsRecord | undefined {
  const [first] = records;
  if (first === undefined || !first.unique) return undefined;
  const bitmap = typeBitmap(records.map(({ type }) => type));
  const rdata = Uint8Array.from(Buffer.concat([first.owner, bitmap]));
  const { owner, key } = first;
  return { owner, key, type: TYPE.NSEC, ttlSeconds: HOST_TTL_SECONDS, rdata, unique: true };
}

/** Equal for records that are the same to a cache. */
export function recordId({ key, type, rdata }: Omit<MdnsRecord, "owner">): string {
  return `${type} ${key} ${Buffer.from(rdata).toString("latin1")}`;
}

function record(
  owner: string,
  type: number,
  ttlSeconds: number,
  data: string,
  unique: boolean,
): MdnsRecord {
  const name = parseDnsName(owner);
  return {
    owner: name,
    key: nameKey(name),
    type,
    ttlSeconds,
    rdata: parseRdata(type, data),
    unique,
  };
}

/** RFC 6335 section 5.1. */
function isServiceName(name: string): boolean {
  return name.length <= 15 && /[a-z]/i.test(name) && /^[a-z0-9](?:-?[a-z0-9])*$/i.test(name);
}
