/**
 * Domain names: text, wire form, and how they compare.
 *
 * In memory a name is its uncompressed wire form with the case as given, so that any byte can
 * stand in a label and an answer can repeat a name exactly. Comparison ignores the case of ASCII
 * letters only (RFC 4343). Whether a name makes sense as the name of a host is for the caller.
 *
 * Source: RFC 1035 sections 2.3.4, 3.1 and 5.1.
 */
import { domainToASCII } from "node:url";
import { DnsValueError } from "./dns-error.ts";

declare const brand: unique symbol;

/** A name in wire form: labels with a length byte each, the root's zero byte last. */
export type DnsName = Uint8Array & { readonly [brand]: "dns-name" };

/** RFC 1035 section 2.3.4, the root's zero byte included. */
export const MAX_NAME_BYTES = 255;
/** RFC 1035 section 2.3.4. */
const MAX_LABEL_BYTES = 63;

export const ROOT_NAME = Uint8Array.of(0) as DnsName;

/**
 * The name that a text stands for. `@` is the origin, a text without a final dot is below it,
 * `\.` and `\DDD` are bytes of a label.
 *
 * @param origin - What relative names are below of. Default: the root, so `a.b` means `a.b.`
 * @throws DnsValueError (E-DNS-NAME) that says which label or character is wrong.
 */
export function parseDnsName(text: string, origin: DnsName = ROOT_NAME): DnsName {
  if (text === "@") return origin;
  if (text === ".") return ROOT_NAME;
  if (text === "") {
    throw refuse(text, 'it is empty; "@" is the zone itself and "." the root');
  }
  const plain = plainName(text, origin);
  if (plain !== undefined) return plain;
  const labels: Uint8Array[] = [];
  let label: number[] = [];
  let at = 0;
  let absolute = false;
  while (at < text.length) {
    if (text[at] === ".") {
      labels.push(closeLabel(text, label, labels.length));
      label = [];
      at += 1;
      absolute = at === text.length;
      continue;
    }
    const { byte, next } = readByte(text, at);
    label.push(byte);
    at = next;
  }
  if (!absolute) labels.push(closeLabel(text, label, labels.length));
  const own = labels.reduce((size, bytes) => size + bytes.length + 1, 0);
  const end = absolute ? ROOT_NAME : origin;
  if (own + end.length > MAX_NAME_BYTES) {
    throw refuse(text, `it takes ${own + end.length} bytes, at most ${MAX_NAME_BYTES} are allowed`);
  }
  return joinLabels(labels, end);
}

/** Of each character below 128 whether it stands for itself. */
const PLAIN: readonly boolean[] = Array.from({ length: 128 }, (_, code) =>
  /[A-Za-z0-9_*-]/.test(String.fromCharCode(code)),
);

/** Nearly all names are without escapes and faults; undefined: this one has to be looked at closer. */
function plainName(text: string, origin: DnsName): DnsName | undefined {
  const absolute = text.endsWith(".");
  const end = absolute ? ROOT_NAME : origin;
  const own = text.length + (absolute ? 0 : 1);
  if (own + end.length > MAX_NAME_BYTES) return undefined;
  const name = new Uint8Array(own + end.length);
  // Where the label begins: in the text its first character, in the name its size.
  let start = 0;
  for (let at = 0; at < own; at++) {
    const code = at === text.length ? 0x2e : text.charCodeAt(at);
    if (code === 0x2e) {
      const size = at - start;
      if (size === 0 || size > MAX_LABEL_BYTES) return undefined;
      name[start] = size;
      start = at + 1;
    } else if (PLAIN[code] === true) name[at + 1] = code;
    else return undefined;
  }
  for (let at = 0; at < end.length; at++) name[own + at] = end[at] ?? 0;
  return name as DnsName;
}

function closeLabel(text: string, label: readonly number[], index: number): Uint8Array {
  if (label.length === 0) throw refuse(text, `label ${index + 1} is empty`);
  if (label.length > MAX_LABEL_BYTES) {
    throw refuse(
      text,
      `label ${index + 1} has ${label.length} bytes, at most ${MAX_LABEL_BYTES} are allowed`,
    );
  }
  return Uint8Array.from(label);
}

/** One byte of a label, from a plain character, `\X` or `\DDD`. */
function readByte(text: string, at: number): { byte: number; next: number } {
  const code = text.charCodeAt(at);
  if (code > 0x7e) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? code);
    const ascii = domainToASCII(text.normalize("NFC").replace(/\.$/, ""));
    const hint = ascii === "" ? undefined : `Write it as ${ascii}`;
    throw refuse(text, `"${character}" is not ASCII`, hint);
  }
  if (code <= 0x20) throw refuse(text, `a ${code === 0x20 ? "space" : "control character"} in it`);
  if (code === 0x22 || code === 0x28 || code === 0x29 || code === 0x3b) {
    throw refuse(text, `${text[at]} must be written \\${text[at]}`);
  }
  if (code !== 0x5c) return { byte: code, next: at + 1 };
  const digits = /^[0-9]{3}/.exec(text.slice(at + 1, at + 4))?.[0];
  if (digits !== undefined) {
    const byte = Number(digits);
    if (byte > 255) throw refuse(text, `\\${digits} is above \\255`);
    return { byte, next: at + 4 };
  }
  const escaped = text.charCodeAt(at + 1);
  if (Number.isNaN(escaped)) throw refuse(text, "nothing follows the last \\");
  if (escaped >= 0x30 && escaped <= 0x39) throw refuse(text, "\\ and digits need three digits");
  if (escaped > 0x7e || escaped < 0x20) throw refuse(text, "\\ must stand before a character");
  return { byte: escaped, next: at + 2 };
}

function refuse(text: string, reason: string, hint?: string): DnsValueError {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return new DnsValueError(
    "E-DNS-NAME",
    `"${shown}" is not a domain name (${reason}).`,
    hint === undefined ? {} : { hint },
  );
}

/** The name of these labels above `end`. The caller has checked the sizes. */
function joinLabels(labels: readonly Uint8Array[], end: DnsName): DnsName {
  const size = labels.reduce((sum, bytes) => sum + bytes.length + 1, end.length);
  const name = new Uint8Array(size);
  let at = 0;
  for (const label of labels) {
    name[at] = label.length;
    name.set(label, at + 1);
    at += label.length + 1;
  }
  name.set(end, at);
  return name as DnsName;
}

/**
 * The uncompressed name that starts at `at`, as a view into `bytes`; undefined if there is none.
 * For bytes that we or {@link parseDnsName} made and for RDATA where compression is forbidden.
 */
export function readDnsName(bytes: Uint8Array, at: number): DnsName | undefined {
  let end = at;
  for (;;) {
    const size = bytes[end];
    if (size === undefined || size > MAX_LABEL_BYTES) return undefined;
    end += size + 1;
    if (end - at > MAX_NAME_BYTES || end > bytes.length) return undefined;
    if (size === 0) return bytes.subarray(at, end) as DnsName;
  }
}

/** Text with a final dot. It parses back to the same bytes. */
export function formatDnsName(name: DnsName): string {
  if (name.length === 1) return ".";
  return `${formatLabels(name, countLabels(name))}.`;
}

/** Text relative to `apex` without a final dot, or `@`. The name must be at or below the apex. */
export function formatRelative(name: DnsName, apex: DnsName): string {
  const own = countLabels(name) - countLabels(apex);
  return own === 0 ? "@" : formatLabels(name, own);
}

/** What each byte of a label is written as. */
const BYTE_TEXTS: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9_*-]/.test(character)) return character;
  // A slash would end a part of a record's key; brackets and quotes mean things in zone files.
  return `\\${String(byte).padStart(3, "0")}`;
});

/** The first `count` labels with dots between them. */
function formatLabels(name: DnsName, count: number): string {
  let text = "";
  for (let at = 0, left = count; left > 0; left--) {
    const end = at + 1 + (name[at] ?? 0);
    for (at += 1; at < end; at++) text += BYTE_TEXTS[name[at] ?? 0];
    if (left > 1) text += ".";
  }
  return text;
}

/** How many labels the name has; 0 for the root. */
export function countLabels(name: DnsName): number {
  let count = 0;
  for (let at = 0, size = name[0] ?? 0; size > 0; at += size + 1, size = name[at] ?? 0) count++;
  return count;
}

/** A copy with ASCII letters in lower case (RFC 4343 section 3). Length bytes are below "A". */
export function lowerCase(name: DnsName): DnsName {
  const lower = new Uint8Array(name);
  for (let at = 0; at < lower.length; at++) {
    const byte = lower[at] ?? 0;
    if (byte >= 0x41 && byte <= 0x5a) lower[at] = byte + 0x20;
  }
  return lower as DnsName;
}

/**
 * Equal for names that are the same to DNS; usable as the key of a map.
 *
 * @param above - The key of the name so many labels above it. Default: 0.
 */
export function nameKey(name: DnsName, above = 0): string {
  let from = 0;
  for (let left = above; left > 0 && name[from] !== 0; left--) from += (name[from] ?? 0) + 1;
  return labelKey(name, from, name.length);
}

/** The same for each label, from the leftmost on. */
export function labelKeys(name: DnsName): string[] {
  const keys: string[] = [];
  for (let at = 0, size = name[0] ?? 0; size > 0; at += size + 1, size = name[at] ?? 0) {
    keys.push(labelKey(name, at + 1, at + 1 + size));
  }
  return keys;
}

/** A key made here in one piece takes less room than one that is put together of its letters. */
const scratch = Buffer.allocUnsafeSlow(256);

/** {@link nameKey} of a part of a name that lies among other bytes. */
export function labelKey(bytes: Uint8Array, from: number, to: number): string {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    scratch[at - from] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
  }
  return scratch.toString("latin1", 0, to - from);
}

export function sameName(a: DnsName, b: DnsName): boolean {
  return a.length === b.length && nameKey(a) === nameKey(b);
}

/** Whether the name is the apex or stands below it. */
export function isWithin(name: DnsName, apex: DnsName): boolean {
  const above = countLabels(name) - countLabels(apex);
  return above >= 0 && nameKey(name, above) === nameKey(apex);
}

/** The name without its first `count` labels, as a view. */
export function parentName(name: DnsName, count = 1): DnsName {
  let at = 0;
  for (let left = count; left > 0 && name[at] !== 0; left--) at += (name[at] ?? 0) + 1;
  return name.subarray(at) as DnsName;
}

/**
 * Whether it can be the name of a host: letters, digits and inner hyphens (RFC 1123 section 2.1).
 * Other names are legal in DNS; addresses on them are worth a warning.
 */
export function isHostName(name: DnsName): boolean {
  return labelKeys(name).every(
    (label, index) =>
      (index === 0 && label === "*") || /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(label),
  );
}
