/**
 * The data of one record: checked text in, wire form out, and back to canonical text.
 *
 * Names stand uncompressed in the wire form; the message writer compresses where it may. What
 * several records together may not be (a CNAME beside other data) is decided where zones are built.
 *
 * Source: RFC 1035 section 3.3, RFC 3597 section 5, and the RFC of each type.
 */
import { DnsValueError } from "./dns-error.ts";
import { formatDnsName, readDnsName, ROOT_NAME, type DnsName } from "./dns-name.ts";
import { formatType } from "./dns-type.ts";
import { toHex } from "../ids.ts";
import { formatIpv4, formatIpv6 } from "../ip-address.ts";
import { parseField } from "./rdata-field.ts";
import { layoutOf, type Field } from "./rdata-layout.ts";
import { checkMeaning } from "./rdata-meaning.ts";
import { quoteString, shorten, splitRdata, type RdataToken } from "./rdata-token.ts";
import { formatSvcParams } from "./svc-params.ts";
import { formatLoc } from "./loc.ts";
import { formatTypeBitmap } from "./type-bitmap.ts";

/** RFC 1035 section 3.2.1: RDLENGTH has 16 bits. */
const MAX_RDATA_BYTES = 65_535;

/**
 * The wire form of a record's data.
 *
 * @param origin - What relative names in the data are below of. Default: the root.
 * @throws DnsValueError (E-DNS-VALUE, E-DNS-NAME) that says which field is wrong and why.
 */
export function parseRdata(type: number, text: string, origin: DnsName = ROOT_NAME): Uint8Array {
  return parseRdataWords(type, splitRdata(text), origin, () => text);
}

/**
 * The same from words.
 *
 * @param shown - The whole text, for errors.
 * @param reading - Called with the number of the word that is read next, before each field.
 */
export function parseRdataWords(
  type: number,
  tokens: readonly RdataToken[],
  origin: DnsName,
  shown = () => tokens.map(({ raw }) => raw).join(" "),
  reading: (word: number) => void = () => {},
): Uint8Array {
  const first = tokens[0];
  reading(0);
  if (first === undefined) throw refuse(type, shown(), "it is empty");
  if (first.raw === "\\#" && !first.quoted) return parseGeneric(type, shown(), tokens.slice(1));
  const layout = layoutOf(type);
  if (layout === undefined) {
    throw new DnsValueError("E-DNS-VALUE", `${formatType(type)} data must be given as bytes.`, {
      hint: "Write \\#, the number of bytes, and the bytes in hexadecimal: \\# 4 c0000201",
    });
  }
  const rdata = parseFields(type, layout, tokens, shown, origin, reading);
  if (rdata.length > MAX_RDATA_BYTES) throw refuse(type, shown(), "it is longer than 65535 bytes");
  const wrong = checkMeaning(type, rdata);
  if (wrong !== undefined) throw refuse(type, shown(), wrong);
  return rdata;
}

function parseFields(
  type: number,
  layout: readonly Field[],
  tokens: readonly RdataToken[],
  shown: () => string,
  origin: DnsName,
  reading: (word: number) => void,
): Uint8Array {
  const parts: Uint8Array[] = [];
  let used = 0;
  for (const field of layout) {
    const takesRest = REST.has(field.kind);
    const own = takesRest ? tokens.slice(used) : tokens.slice(used, used + 1);
    reading(used);
    if (own.length === 0 && !MAY_BE_EMPTY.has(field.kind)) {
      throw refuse(type, shown(), `the ${field.name} is missing`);
    }
    parts.push(parseField(field, own, origin));
    used += own.length;
  }
  const extra = tokens[used];
  if (extra !== undefined) {
    reading(used);
    const last = layout.at(-1)?.name ?? "data";
    throw refuse(type, shown(), `${shorten(extra.raw)} follows the ${last}`);
  }
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : Uint8Array.from(Buffer.concat(parts));
}

/** Fields that take all words that are left. */
const REST: ReadonlySet<Field["kind"]> = new Set<Field["kind"]>([
  "strings",
  "hex",
  "base64",
  "params",
  "types",
  "loc",
]);

const MAY_BE_EMPTY: ReadonlySet<Field["kind"]> = new Set<Field["kind"]>(["params", "types"]);

/** RFC 3597 section 5: `\# 4 c0000201`, allowed for every type. */
function parseGeneric(type: number, text: string, tokens: readonly RdataToken[]): Uint8Array {
  const size = tokens[0]?.raw ?? "";
  const digits = tokens
    .slice(1)
    .map(({ raw }) => raw)
    .join("");
  if (!/^[0-9]{1,5}$/.test(size)) throw refuse(type, text, "\\# needs the number of bytes");
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits))
    throw refuse(type, text, "the bytes are not hexadecimal");
  if (digits.length / 2 !== Number(size)) {
    throw refuse(type, text, `it has ${digits.length / 2} bytes and says ${Number(size)}`);
  }
  const rdata = Uint8Array.from(Buffer.from(digits, "hex"));
  if (!isSoundRdata(type, rdata)) throw refuse(type, text, "the bytes do not fit the type");
  return rdata;
}

/** Whether the bytes are well-formed data of the type. Any bytes are for a type without a layout. */
export function isSoundRdata(type: number, rdata: Uint8Array): boolean {
  if (rdata.length > MAX_RDATA_BYTES) return false;
  return layoutOf(type) === undefined || formatFields(type, rdata) !== undefined;
}

/**
 * Canonical text: absolute names, strings in quotes, upper-case nothing. It parses back to the
 * same bytes. Bytes that do not fit the type are shown in the form of RFC 3597.
 */
export function formatRdata(type: number, rdata: Uint8Array): string {
  return formatFields(type, rdata) ?? `\\# ${rdata.length} ${toHex(rdata)}`.trimEnd();
}

function formatFields(type: number, rdata: Uint8Array): string | undefined {
  const layout = layoutOf(type);
  if (layout === undefined) return undefined;
  const words: string[] = [];
  let at = 0;
  for (const field of layout) {
    const read = formatField(field, rdata, at);
    if (read === undefined) return undefined;
    if (read.text !== "") words.push(read.text);
    at = read.next;
  }
  if (at !== rdata.length || checkMeaning(type, rdata) !== undefined) return undefined;
  return words.join(" ");
}

function formatField(
  field: Field,
  rdata: Uint8Array,
  at: number,
): { readonly text: string; readonly next: number } | undefined {
  const rest = rdata.subarray(at);
  const end = rdata.length;
  switch (field.kind) {
    case "u8":
      return rest.length < 1 ? undefined : { text: String(rest[0]), next: at + 1 };
    case "u16":
      return rest.length < 2 ? undefined : { text: String(readUint(rest, 2)), next: at + 2 };
    case "u32":
    case "seconds":
      return rest.length < 4 ? undefined : { text: String(readUint(rest, 4)), next: at + 4 };
    case "ipv4":
      return rest.length < 4 ? undefined : { text: formatIpv4(rest.subarray(0, 4)), next: at + 4 };
    case "ipv6":
      return rest.length < 16
        ? undefined
        : { text: formatIpv6(rest.subarray(0, 16)), next: at + 16 };
    case "name": {
      const name = readDnsName(rdata, at);
      return name === undefined ? undefined : { text: formatDnsName(name), next: at + name.length };
    }
    case "string":
    case "tag": {
      const size = rest[0];
      if (size === undefined || rest.length < size + 1) return undefined;
      const bytes = rest.subarray(1, size + 1);
      const text =
        field.kind === "string" ? quoteString(bytes) : Buffer.from(bytes).toString("latin1");
      if (field.kind === "tag" && !/^[a-z0-9]+$/i.test(text)) return undefined;
      return { text, next: at + size + 1 };
    }
    case "strings":
      return formatStrings(rest, end);
    case "text":
      return { text: quoteString(rest), next: end };
    case "hex":
      return rest.length === 0 ? undefined : { text: toHex(rest), next: end };
    case "base64":
      if (rest.length === 0) return undefined;
      return { text: Buffer.from(rest).toString("base64"), next: end };
    case "eui48":
    case "eui64":
    case "locator":
      return formatGroups(field.kind, rest, at);
    case "types": {
      const text = formatTypeBitmap(rest);
      return text === undefined ? undefined : { text, next: end };
    }
    case "loc": {
      const text = formatLoc(rest);
      return text === undefined ? undefined : { text, next: end };
    }
    case "params": {
      const text = formatSvcParams(rest);
      return text === undefined ? undefined : { text, next: end };
    }
  }
}

const GROUPS = {
  eui48: { bytes: 6, each: 1, between: "-" },
  eui64: { bytes: 8, each: 1, between: "-" },
  locator: { bytes: 8, each: 2, between: ":" },
} as const;

function formatGroups(kind: keyof typeof GROUPS, rest: Uint8Array, at: number) {
  const { bytes, each, between } = GROUPS[kind];
  if (rest.length < bytes) return undefined;
  const parts = Array.from({ length: bytes / each }, (_, index) =>
    toHex(rest.subarray(index * each, (index + 1) * each)),
  );
  return { text: parts.join(between), next: at + bytes };
}

function formatStrings(rest: Uint8Array, end: number): { text: string; next: number } | undefined {
  const words: string[] = [];
  for (let at = 0; at < rest.length;) {
    const next = at + 1 + (rest[at] ?? 0);
    if (next > rest.length) return undefined;
    words.push(quoteString(rest.subarray(at + 1, next)));
    at = next;
  }
  return words.length === 0 ? undefined : { text: words.join(" "), next: end };
}

function readUint(bytes: Uint8Array, sizeBytes: number): number {
  let value = 0;
  for (let at = 0; at < sizeBytes; at++) value = value * 256 + (bytes[at] ?? 0);
  return value;
}

function refuse(type: number, text: string, reason: string): DnsValueError {
  const name = formatType(type);
  return new DnsValueError("E-DNS-VALUE", `${shorten(text)} is not ${name} data (${reason}).`, {
    hint: exampleOf(type),
  });
}

const EXAMPLES: Readonly<Record<string, string>> = {
  A: "192.0.2.14",
  AAAA: "2001:db8::14",
  NS: "ns1.example.net.",
  CNAME: "www.example.net.",
  DNAME: "example.net.",
  PTR: "mail.example.net.",
  MX: "10 mail.example.net.",
  TXT: '"v=spf1 -all"',
  SRV: "0 5 5061 sip.example.net.",
  CAA: '0 issue "letsencrypt.org"',
  HTTPS: "1 . alpn=h2 port=8443",
  SVCB: "1 svc.example.net. port=853",
  TLSA: "3 1 1 and 64 hexadecimal digits",
  SSHFP: "4 2 and 64 hexadecimal digits",
  NAPTR: '100 50 "s" "SIP+D2T" "" _sip._tcp.example.net.',
  SOA: ". hostmaster.example.net. 0 3600 300 1209600 60",
  LOC: "48 0 20 N 4 6 0 W 30m",
  DS: "12345 13 2 and 64 hexadecimal digits",
};

function exampleOf(type: number): string {
  const example = EXAMPLES[formatType(type)];
  return example === undefined
    ? `Look up the form of ${formatType(type)}.`
    : `It looks like: ${example}`;
}
