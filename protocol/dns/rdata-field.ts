/** One field of a record's data, from the words of its text to its wire form. */
import { DnsValueError } from "./dns-error.ts";
import { parseDnsName, type DnsName } from "./dns-name.ts";
import { parseIpv4, parseIpv6 } from "../ip-address.ts";
import type { Field } from "./rdata-layout.ts";
import { shorten, type RdataToken } from "./rdata-token.ts";
import { parseSvcParams, SvcParamsProblem } from "./svc-params.ts";
import { parseSeconds } from "./dns-ttl.ts";
import { parseType } from "./dns-type.ts";
import { parseLoc } from "./loc.ts";
import { typeBitmap } from "./type-bitmap.ts";

/**
 * @param tokens - The one word of the field, or all that are left for a field that takes the rest.
 * @throws DnsValueError that names the field.
 */
export function parseField(
  field: Field,
  tokens: readonly RdataToken[],
  origin: DnsName,
): Uint8Array {
  const token = tokens[0] ?? { raw: "", bytes: new Uint8Array(), quoted: false };
  switch (field.kind) {
    case "u8":
      return number(field, token, 1);
    case "u16":
      return number(field, token, 2);
    case "u32":
      return number(field, token, 4);
    case "seconds":
      return uint(parseSeconds(token.raw), 4);
    case "name":
      return parseDnsName(token.raw, origin);
    case "ipv4":
    case "ipv6":
      return address(field, token);
    case "string":
      return withLength(field, token);
    case "strings":
      return Uint8Array.from(Buffer.concat(tokens.map((word) => withLength(field, word))));
    case "tag":
      if (!/^[A-Za-z0-9]{1,255}$/.test(token.raw)) {
        throw refuse(token.raw, `a ${field.name}`, "letters and digits only");
      }
      return withLength(field, token);
    case "text":
      return token.bytes;
    case "hex":
      return hex(field, tokens);
    case "base64":
      return base64(field, tokens);
    case "params":
      return params(tokens);
    case "eui48":
      return groups(field, token, /^(?:[0-9a-f]{2}-){5}[0-9a-f]{2}$/i, "00-00-5e-00-53-2a");
    case "eui64":
      return groups(field, token, /^(?:[0-9a-f]{2}-){7}[0-9a-f]{2}$/i, "00-00-5e-ef-10-00-00-2a");
    case "locator":
      return groups(field, token, /^(?:[0-9a-f]{4}:){3}[0-9a-f]{4}$/i, "0014:4fff:ff20:ee64");
    case "types":
      return typeBitmap(tokens.map(({ raw }) => parseType(raw)));
    case "loc":
      return parseLoc(tokens.map(({ raw }) => raw));
  }
}

function number(field: Field, token: RdataToken, sizeBytes: 1 | 2 | 4): Uint8Array {
  const max = 256 ** sizeBytes - 1;
  if (!/^[0-9]{1,10}$/.test(token.raw)) {
    throw refuse(token.raw, `a ${field.name}`, `a number from 0 to ${max} is needed`);
  }
  if (Number(token.raw) > max) {
    throw refuse(token.raw, `a ${field.name}`, `${Number(token.raw)} is above ${max}`);
  }
  return uint(Number(token.raw), sizeBytes);
}

function uint(value: number, sizeBytes: number): Uint8Array {
  const bytes = Buffer.alloc(sizeBytes);
  bytes.writeUIntBE(value, 0, sizeBytes);
  return Uint8Array.from(bytes);
}

function address(field: Field, token: RdataToken): Uint8Array {
  const parsed = field.kind === "ipv4" ? parseIpv4(token.raw) : parseIpv6(token.raw);
  if ("bytes" in parsed) return parsed.bytes;
  throw refuse(token.raw, `an ${field.kind === "ipv4" ? "IPv4" : "IPv6"} address`, parsed.reason);
}

function withLength(field: Field, token: RdataToken): Uint8Array {
  if (token.bytes.length > 255) {
    const reason = `a string has at most 255 bytes, this one has ${token.bytes.length}`;
    throw refuse(token.raw, `a ${field.name}`, reason);
  }
  return Uint8Array.of(token.bytes.length, ...token.bytes);
}

function hex(field: Field, tokens: readonly RdataToken[]): Uint8Array {
  const digits = tokens.map(({ raw }) => raw).join("");
  if (!/^[0-9a-f]+$/i.test(digits))
    throw refuse(digits, `a ${field.name}`, "it is not hexadecimal");
  if (digits.length % 2 !== 0) {
    throw refuse(digits, `a ${field.name}`, "the number of hexadecimal digits is odd");
  }
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

function base64(field: Field, tokens: readonly RdataToken[]): Uint8Array {
  const text = tokens.map(({ raw }) => raw).join("");
  const bytes = Buffer.from(text, "base64");
  // Buffer skips what it does not know, so the way back is the check.
  if (bytes.length === 0 || bytes.toString("base64") !== text) {
    throw refuse(text, `a ${field.name}`, "it is not base64");
  }
  return Uint8Array.from(bytes);
}

/** Hexadecimal digits in groups of one length. */
function groups(field: Field, { raw }: RdataToken, form: RegExp, example: string): Uint8Array {
  if (!form.test(raw)) throw refuse(raw, `a ${field.name}`, `it looks like ${example}`);
  return Uint8Array.from(Buffer.from(raw.replaceAll(/[-:]/g, ""), "hex"));
}

function params(tokens: readonly RdataToken[]): Uint8Array {
  try {
    return parseSvcParams(tokens);
  } catch (problem) {
    if (!(problem instanceof SvcParamsProblem)) throw problem;
    throw refuse(tokens.map(({ raw }) => raw).join(" "), "a list of parameters", problem.message);
  }
}

function refuse(raw: string, what: string, reason: string): DnsValueError {
  return new DnsValueError("E-DNS-VALUE", `${shorten(raw)} is not ${what} (${reason}).`);
}
