/**
 * Which fields the data of a record type consist of.
 *
 * One table for text and wire, in both directions. A type without a layout is written and shown
 * in the form of RFC 3597 (`\# 4 c0000201`).
 */
import { TYPE } from "./dns-type.ts";

type FieldKind =
  | "u8"
  | "u16"
  | "u32"
  /** Seconds, as a 32-bit number; in text also `1h30m`. */
  | "seconds"
  | "name"
  | "ipv4"
  | "ipv6"
  /** One string of at most 255 bytes after its length. */
  | "string"
  /** One or more of them, to the end. */
  | "strings"
  /** Letters and digits after their length (RFC 8659 section 4.1). */
  | "tag"
  /** A string without a length, to the end. */
  | "text"
  /** Bytes to the end. */
  | "hex"
  | "base64"
  /** SvcParams to the end (RFC 9460 section 2.1). */
  | "params"
  /** Six or eight bytes as `00-00-5e-00-53-2a` (RFC 7043). */
  | "eui48"
  | "eui64"
  /** Eight bytes as `0014:4fff:ff20:ee64` (RFC 6742 section 2.1.1). */
  | "locator"
  /** A list of types as a bitmap to the end (RFC 4034 section 4.1.2). */
  | "types"
  /** A place on earth (RFC 1876). */
  | "loc";

export interface Field {
  /** As the RFC of the type calls it; stands in errors. */
  readonly name: string;
  readonly kind: FieldKind;
}

const NAME_TARGET: readonly Field[] = [{ name: "target", kind: "name" }];
const STRINGS: readonly Field[] = [{ name: "text", kind: "strings" }];
const DS: readonly Field[] = fields("key tag:u16 algorithm:u8 digest type:u8 digest:hex");
const DNSKEY: readonly Field[] = fields("flags:u16 protocol:u8 algorithm:u8 public key:base64");
const TLSA: readonly Field[] = fields("usage:u8 selector:u8 matching type:u8 data:hex");
const SVCB: readonly Field[] = fields("priority:u16 target:name parameters:params");

const LAYOUTS: ReadonlyMap<number, readonly Field[]> = new Map<number, readonly Field[]>([
  [TYPE.A, fields("address:ipv4")],
  [TYPE.NS, NAME_TARGET],
  [TYPE.CNAME, NAME_TARGET],
  [
    TYPE.SOA,
    fields(
      "primary:name mailbox:name serial:u32 refresh:seconds retry:seconds expire:seconds minimum:seconds",
    ),
  ],
  [TYPE.MB, NAME_TARGET],
  [TYPE.MG, NAME_TARGET],
  [TYPE.MR, NAME_TARGET],
  [TYPE.PTR, NAME_TARGET],
  [TYPE.HINFO, fields("cpu:string os:string")],
  [TYPE.MINFO, fields("mailbox:name errors:name")],
  [TYPE.MX, fields("preference:u16 exchange:name")],
  [TYPE.TXT, STRINGS],
  [TYPE.SPF, STRINGS],
  [TYPE.RP, fields("mailbox:name text:name")],
  [TYPE.AFSDB, fields("subtype:u16 host:name")],
  [TYPE.RT, fields("preference:u16 host:name")],
  [TYPE.PX, fields("preference:u16 mailbox:name x400:name")],
  [TYPE.AAAA, fields("address:ipv6")],
  [TYPE.SRV, fields("priority:u16 weight:u16 port:u16 target:name")],
  [
    TYPE.NAPTR,
    fields("order:u16 preference:u16 flags:string services:string regexp:string replacement:name"),
  ],
  [TYPE.KX, fields("preference:u16 exchanger:name")],
  [TYPE.CERT, fields("type:u16 key tag:u16 algorithm:u8 certificate:base64")],
  [TYPE.DNAME, NAME_TARGET],
  [TYPE.DS, DS],
  [TYPE.CDS, DS],
  [TYPE.SSHFP, fields("algorithm:u8 fingerprint type:u8 fingerprint:hex")],
  [TYPE.DNSKEY, DNSKEY],
  [TYPE.CDNSKEY, DNSKEY],
  [TYPE.TLSA, TLSA],
  [TYPE.SMIMEA, TLSA],
  [TYPE.OPENPGPKEY, fields("public key:base64")],
  [TYPE.ZONEMD, fields("serial:u32 scheme:u8 hash algorithm:u8 digest:hex")],
  [TYPE.SVCB, SVCB],
  [TYPE.HTTPS, SVCB],
  [TYPE.X25, fields("number:string")],
  [TYPE.LOC, fields("place:loc")],
  [TYPE.DHCID, fields("digest:base64")],
  [TYPE.CSYNC, fields("serial:u32 flags:u16 types:types")],
  [TYPE.NID, fields("preference:u16 node identifier:locator")],
  [TYPE.L32, fields("preference:u16 locator:ipv4")],
  [TYPE.L64, fields("preference:u16 locator:locator")],
  [TYPE.LP, fields("preference:u16 name:name")],
  [TYPE.EUI48, fields("address:eui48")],
  [TYPE.EUI64, fields("address:eui64")],
  [TYPE.URI, fields("priority:u16 weight:u16 target:text")],
  [TYPE.CAA, fields("flags:u8 tag:tag value:text")],
]);

/** `key tag:u16 algorithm:u8` as fields. */
function fields(text: string): readonly Field[] {
  return [...text.matchAll(/\s*([a-z0-9 ]+):([a-z0-9]+)/g)].map((match) => ({
    name: match[1] ?? "",
    kind: match[2] as FieldKind,
  }));
}

/** The fields of a type, or undefined for a type that is opaque to us. */
export function layoutOf(type: number): readonly Field[] | undefined {
  return LAYOUTS.get(type);
}
