/**
 * The parameters of SVCB and HTTPS records: text and wire.
 *
 * Source: RFC 9460 sections 2.1, 7 and 14.3.2, appendix A; RFC 9461 for `dohpath`.
 */
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "../ip-address.ts";
import { quoteString, type RdataToken } from "./rdata-token.ts";

const KEYS = [
  "mandatory",
  "alpn",
  "no-default-alpn",
  "port",
  "ipv4hint",
  "ech",
  "ipv6hint",
  "dohpath",
  "ohttp",
] as const;
const MANDATORY = 0;

/** Tells what is wrong; the caller adds what was meant. */
export class SvcParamsProblem extends Error {}

/**
 * The wire form of `alpn=h2,h3 port=8443`, keys in ascending order as the RFC wants them.
 *
 * @throws SvcParamsProblem whose message is the reason.
 */
export function parseSvcParams(tokens: readonly RdataToken[]): Uint8Array {
  const params = new Map<number, Uint8Array>();
  for (const token of tokens) {
    const sign = token.bytes.indexOf(0x3d);
    const name = Buffer.from(token.bytes.subarray(0, sign < 0 ? undefined : sign)).toString(
      "latin1",
    );
    const key = parseKey(name);
    if (params.has(key)) throw new SvcParamsProblem(`${name} stands twice`);
    const value = sign < 0 ? undefined : token.bytes.subarray(sign + 1);
    params.set(key, parseValue(key, name, value));
  }
  checkMandatory(params);
  return joinParams(params);
}

function checkMandatory(params: ReadonlyMap<number, Uint8Array>): void {
  const listed = params.get(MANDATORY);
  if (listed === undefined) return;
  for (let at = 0; at < listed.length; at += 2) {
    const key = readU16(listed, at);
    if (key === MANDATORY) throw new SvcParamsProblem("mandatory lists itself");
    if (!params.has(key)) throw new SvcParamsProblem(`mandatory ${formatKey(key)} is missing`);
    if (at > 0 && readU16(listed, at - 2) >= key) {
      throw new SvcParamsProblem(`mandatory lists ${formatKey(key)} twice`);
    }
  }
}

function joinParams(params: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const parts = [...params]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([key, value]) => [u16(key), u16(value.length), value]);
  return Uint8Array.from(Buffer.concat(parts));
}

function parseKey(name: string): number {
  const known = KEYS.indexOf(name.toLowerCase() as (typeof KEYS)[number]);
  if (known >= 0) return known;
  const digits = /^key(0|[1-9][0-9]{0,4})$/i.exec(name)?.[1];
  if (digits === undefined || Number(digits) >= 65_535) {
    throw new SvcParamsProblem(`"${name}" is not a parameter; known are ${KEYS.join(", ")}, keyNN`);
  }
  return Number(digits);
}

function formatKey(key: number): string {
  return KEYS[key] ?? `key${key}`;
}

function parseValue(key: number, name: string, value: Uint8Array | undefined): Uint8Array {
  const known = KEYS[key];
  if (known === "no-default-alpn" || known === "ohttp") {
    if (value !== undefined) throw new SvcParamsProblem(`${name} takes no value`);
    return new Uint8Array();
  }
  if (known === undefined) return value ?? new Uint8Array();
  if (value === undefined || value.length === 0)
    throw new SvcParamsProblem(`${name} needs a value`);
  const text = Buffer.from(value).toString("latin1");
  switch (known) {
    case "mandatory": {
      const keys = text.split(",").map(parseKey);
      return Uint8Array.from(Buffer.concat(keys.toSorted((a, b) => a - b).map(u16)));
    }
    case "alpn":
      return Uint8Array.from(Buffer.concat(splitList(value).map(withLength)));
    case "port":
      if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535) {
        throw new SvcParamsProblem(`port "${text}" is not a number from 0 to 65535`);
      }
      return u16(Number(text));
    case "ipv4hint":
      return addresses(text, parseIpv4, "IPv4");
    case "ipv6hint":
      return addresses(text, parseIpv6, "IPv6");
    case "ech":
      if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
        throw new SvcParamsProblem("ech is not base64");
      }
      return Uint8Array.from(Buffer.from(text, "base64"));
    case "dohpath":
      return value;
  }
}

function addresses(text: string, parse: typeof parseIpv4, family: string): Uint8Array {
  const parts = text.split(",").map((part) => {
    const parsed = parse(part);
    if ("bytes" in parsed) return parsed.bytes;
    throw new SvcParamsProblem(`"${part}" is not an ${family} address (${parsed.reason})`);
  });
  return Uint8Array.from(Buffer.concat(parts));
}

/** Splits at commas; `\,` and `\\` are bytes of an item (RFC 9460 appendix A.1). */
function splitList(value: Uint8Array): Uint8Array[] {
  const items: number[][] = [[]];
  for (let at = 0; at < value.length; at++) {
    const byte = value[at] ?? 0;
    if (byte === 0x2c) items.push([]);
    else if (byte === 0x5c) items.at(-1)?.push(value[++at] ?? 0x5c);
    else items.at(-1)?.push(byte);
  }
  return items.map((item) => {
    if (item.length === 0) throw new SvcParamsProblem("alpn has an empty item");
    if (item.length > 255) throw new SvcParamsProblem("an item of alpn has more than 255 bytes");
    return Uint8Array.from(item);
  });
}

/** Text that parses back to the same bytes; undefined when the bytes are not sound parameters. */
export function formatSvcParams(bytes: Uint8Array): string | undefined {
  const words: string[] = [];
  let last = -1;
  for (let at = 0; at < bytes.length;) {
    if (at + 4 > bytes.length) return undefined;
    const key = readU16(bytes, at);
    const end = at + 4 + readU16(bytes, at + 2);
    // RFC 9460 section 2.2: "SvcParamKeys SHALL appear in increasing numeric order."
    if (key <= last || end > bytes.length) return undefined;
    const value = formatValue(key, bytes.subarray(at + 4, end));
    if (value === undefined) return undefined;
    words.push(value === "" ? formatKey(key) : `${formatKey(key)}=${value}`);
    last = key;
    at = end;
  }
  return words.join(" ");
}

function formatValue(key: number, value: Uint8Array): string | undefined {
  const known = KEYS[key];
  if (known === undefined) return value.length === 0 ? "" : quoteString(value);
  switch (known) {
    case "mandatory":
      if (value.length === 0 || value.length % 2 !== 0) return undefined;
      return chunks(value, 2)
        .map((part) => formatKey(readU16(part, 0)))
        .join(",");
    case "alpn":
      return formatAlpn(value);
    case "no-default-alpn":
    case "ohttp":
      return value.length === 0 ? "" : undefined;
    case "port":
      return value.length === 2 ? String(readU16(value, 0)) : undefined;
    case "ipv4hint":
      if (value.length === 0 || value.length % 4 !== 0) return undefined;
      return chunks(value, 4).map(formatIpv4).join(",");
    case "ipv6hint":
      if (value.length === 0 || value.length % 16 !== 0) return undefined;
      return chunks(value, 16).map(formatIpv6).join(",");
    case "ech":
      return value.length === 0 ? undefined : Buffer.from(value).toString("base64");
    case "dohpath":
      return value.length === 0 ? undefined : quoteString(value);
  }
}

function formatAlpn(value: Uint8Array): string | undefined {
  const items: Buffer[] = [];
  for (let at = 0; at < value.length;) {
    const size = value[at] ?? 0;
    if (size === 0 || at + 1 + size > value.length) return undefined;
    const item = Buffer.from(value.subarray(at + 1, at + 1 + size)).toString("latin1");
    items.push(Buffer.from(item.replace(/[\\,]/g, "\\$&"), "latin1"));
    at += size + 1;
  }
  if (items.length === 0) return undefined;
  const list = Buffer.concat(
    items.flatMap((item, i) => (i === 0 ? [item] : [Buffer.of(0x2c), item])),
  );
  const plain = list.toString("latin1");
  return /^[A-Za-z0-9./,_-]+$/.test(plain) ? plain : quoteString(list);
}

function chunks(bytes: Uint8Array, sizeBytes: number): Uint8Array[] {
  return Array.from({ length: bytes.length / sizeBytes }, (_, index) =>
    bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes),
  );
}

function withLength(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(bytes.length, ...bytes);
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}
