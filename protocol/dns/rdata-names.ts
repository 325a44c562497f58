/**
 * Names inside the data of records: where they stand, and how they come out of a message.
 *
 * Source: RFC 3597 section 4.
 */
import { readDnsName } from "./dns-name.ts";
import { TYPE } from "./dns-type.ts";
import { readMessageName } from "./message-name.ts";
import { layoutOf, type Field } from "./rdata-layout.ts";

/**
 * The types whose names may be compressed in a message.
 *
 * RFC 3597 section 4: "The RRs that contain domain names that can be compressed are restricted to
 * those in RFC 1035"; of these, the ones that are still in use.
 */
const COMPRESSED: ReadonlySet<number> = new Set<number>([
  TYPE.NS,
  TYPE.CNAME,
  TYPE.SOA,
  TYPE.PTR,
  TYPE.MX,
]);

export function mayCompress(type: number): boolean {
  return COMPRESSED.has(type);
}

/**
 * Types that others compress, or once did: "receiving servers MUST decompress domain names in RRs
 * of well-known type, and SHOULD also decompress RRs of type RP, AFSDB, RT, SIG, PX, NXT, NAPTR,
 * and SRV". SIG and NXT are replaced (RFC 3755) and stay as they are.
 */
const DECOMPRESSED: ReadonlySet<number> = new Set<number>([
  ...COMPRESSED,
  TYPE.MB,
  TYPE.MG,
  TYPE.MR,
  TYPE.MINFO,
  TYPE.RP,
  TYPE.AFSDB,
  TYPE.RT,
  TYPE.PX,
  TYPE.SRV,
  TYPE.NAPTR,
]);

/**
 * Where names stand in uncompressed data of the type, as offsets; for compression and for
 * additional data. Those before the first field that does not fit.
 */
export function nameOffsets(type: number, rdata: Uint8Array): number[] {
  const offsets: number[] = [];
  let at = 0;
  for (const { kind } of layoutOf(type) ?? []) {
    const size = kind === "name" ? readDnsName(rdata, at)?.length : fieldBytes(kind, rdata, at);
    if (size === undefined || at + size > rdata.length) break;
    if (kind === "name") offsets.push(at);
    at += size;
  }
  return offsets;
}

/**
 * The data at `start` to `end` of a message as bytes of their own, names uncompressed.
 *
 * Names are expanded where compression is or was allowed; the rest is taken as it is, also when
 * it does not fit the type (see isSoundRdata). Empty data are data of every type.
 *
 * @returns Undefined when a name is not sound, or ends elsewhere than its field.
 */
export function expandRdata(
  message: Uint8Array,
  type: number,
  start: number,
  end: number,
): Uint8Array | undefined {
  if (start === end || !DECOMPRESSED.has(type)) return message.slice(start, end);
  const own = message.subarray(0, end);
  const parts: Uint8Array[] = [];
  let at = start;
  for (const { kind } of layoutOf(type) ?? []) {
    if (kind === "name") {
      const read = readMessageName(own, at);
      if (read === undefined) return undefined;
      parts.push(read.name);
      at = read.end;
      continue;
    }
    const size = fieldBytes(kind, own, at);
    if (size === undefined || at + size > end) return undefined;
    parts.push(own.subarray(at, at + size));
    at += size;
  }
  parts.push(own.subarray(at));
  return Uint8Array.from(Buffer.concat(parts));
}

/** The bytes that a field takes; undefined for names, and for fields to the end. */
function fieldBytes(kind: Field["kind"], bytes: Uint8Array, at: number): number | undefined {
  switch (kind) {
    case "u8":
      return 1;
    case "u16":
      return 2;
    case "u32":
    case "seconds":
    case "ipv4":
      return 4;
    case "ipv6":
      return 16;
    case "eui48":
      return 6;
    case "eui64":
    case "locator":
      return 8;
    case "string":
    case "tag":
      return 1 + (bytes[at] ?? 0);
    case "name":
    case "strings":
    case "text":
    case "hex":
    case "base64":
    case "params":
    case "types":
    case "loc":
      return undefined;
  }
}
