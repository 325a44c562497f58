/**
 * Record types by number and by name.
 *
 * Source: IANA registry "Resource Record (RR) TYPEs"; RFC 3597 for the form `TYPE65280`.
 */
import { DnsValueError } from "./dns-error.ts";

/** The types that code names; a zone may hold others. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  NSAP: 22,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  AMTRELAY: 260,
  DLV: 32769,
} as const;

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(TYPE));
const NAMES: ReadonlyMap<number, string> = new Map(
  [...NUMBERS].map(([name, number]) => [number, name]),
);

/** `MX`, or `TYPE65280` for a number that has no name here. */
export function formatType(type: number): string {
  return NAMES.get(type) ?? `TYPE${type}`;
}

/**
 * The number of a type's name, in any case, or of `TYPEnn`.
 *
 * @throws DnsValueError (E-DNS-TYPE) for anything else.
 */
export function parseType(text: string): number {
  const upper = text.toUpperCase();
  const known = NUMBERS.get(upper);
  if (known !== undefined) return known;
  const digits = /^TYPE([0-9]{1,5})$/.exec(upper)?.[1];
  if (digits !== undefined && Number(digits) <= 65_535) return Number(digits);
  const reason =
    digits === undefined ? "no type has this name" : `${digits} is above 65535, the highest number`;
  throw new DnsValueError("E-DNS-TYPE", `"${text}" is not a record type (${reason}).`, {
    hint: "Types look like A, AAAA, CNAME, MX, TXT, SRV, or TYPE65280 by number.",
  });
}

/**
 * Whether records of the type can stand in a zone that people edit.
 *
 * Not so: 0, OPT and the types of questions and transactions (RFC 6895 section 3.1), and those
 * that only a signer makes (RFC 4034, RFC 5155).
 */
export function isZoneType(type: number): boolean {
  if (type === 0 || type === TYPE.OPT || (type >= 128 && type <= 255)) return false;
  return (
    type !== TYPE.RRSIG &&
    type !== TYPE.NSEC &&
    type !== TYPE.NSEC3 &&
    type !== TYPE.NSEC3PARAM &&
    type !== 65_535
  );
}
