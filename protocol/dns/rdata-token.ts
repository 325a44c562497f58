/**
 * Words of a record's data, as a zone file writes them: separated by blanks, in quotes or not,
 * with `\X` and `\DDD` (RFC 1035 section 5.1). One line only; comments and brackets belong to files.
 */
import { DnsValueError } from "./dns-error.ts";

export interface RdataToken {
  /** As written, without the quotes around it; escapes still in it. For names and numbers. */
  readonly raw: string;
  /** What the escapes stand for; characters beyond ASCII as UTF-8. For strings. */
  readonly bytes: Uint8Array;
  readonly quoted: boolean;
}

const encoder = new TextEncoder();

/** A word of characters that mean themselves: no quotes, escapes, comments or brackets. */
const PLAIN_WORD = /[!#-'*-:<-[\]-~]+(?=[ \t]|$)/y;

/** Nearly all words are plain, and few of them are wanted as bytes. */
class PlainToken implements RdataToken {
  readonly raw: string;
  readonly quoted = false;

  constructor(raw: string) {
    this.raw = raw;
  }

  get bytes(): Uint8Array {
    return encoder.encode(this.raw);
  }
}

/** @throws DnsValueError (E-DNS-VALUE) for an open quote, a bad escape, and for `;`, `(` and `)`. */
export function splitRdata(text: string): RdataToken[] {
  const tokens: RdataToken[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] ?? "")) {
      at += 1;
      continue;
    }
    PLAIN_WORD.lastIndex = at;
    const plain = PLAIN_WORD.exec(text)?.[0];
    if (plain !== undefined) {
      tokens.push(new PlainToken(plain));
      at += plain.length;
      continue;
    }
    const { token, next } = readToken(text, at);
    tokens.push(token);
    at = next;
  }
  return tokens;
}

function readToken(text: string, start: number): { token: RdataToken; next: number } {
  const bytes: number[] = [];
  const quoted = text[start] === '"';
  let raw = "";
  let open = false;
  let at = start;
  while (at < text.length) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (character === '"') {
      open = !open;
      at += 1;
      if (!open && quoted) break;
    } else if (!open && /\s/.test(character)) break;
    else if (!open && /[;()]/.test(character)) {
      throw refuse(text, `${character} must stand in quotes or after a \\`);
    } else if (character === "\\") {
      const { byte, next } = readEscape(text, at);
      bytes.push(byte);
      raw += text.slice(at, next);
      at = next;
    } else {
      if (character < "\x80") bytes.push(character.charCodeAt(0));
      else bytes.push(...encoder.encode(character));
      raw += character;
      at += character.length;
    }
  }
  if (open) throw refuse(text, "a quote is not closed");
  return { token: { raw, bytes: Uint8Array.from(bytes), quoted }, next: at };
}

/**
 * The byte that `\DDD` or `\X` at this place stands for.
 *
 * @throws DnsValueError (E-DNS-VALUE).
 */
export function readEscape(text: string, at: number): { byte: number; next: number } {
  const digits = /^[0-9]{1,3}/.exec(text.slice(at + 1, at + 4))?.[0];
  if (digits !== undefined) {
    if (digits.length < 3) throw refuse(text, `\\${digits} needs three digits`);
    if (Number(digits) > 255) throw refuse(text, `\\${digits} is above \\255`);
    return { byte: Number(digits), next: at + 4 };
  }
  const code = text.charCodeAt(at + 1);
  if (Number.isNaN(code)) throw refuse(text, "nothing follows the last \\");
  if (code > 0x7e) throw refuse(text, "\\ must stand before an ASCII character");
  return { byte: code, next: at + 2 };
}

function refuse(text: string, reason: string): DnsValueError {
  return new DnsValueError("E-DNS-VALUE", `${shorten(text)} cannot be read (${reason}).`);
}

/** The text in quotes, cut so that an error fits a line or two. */
export function shorten(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** A string in quotes that {@link splitRdata} reads back to the same bytes. */
export function quoteString(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte <= 0x7e) text += String.fromCharCode(byte);
    else text += `\\${String(byte).padStart(3, "0")}`;
  }
  return `"${text}"`;
}
