/**
 * Zone files as words: entries, comments, brackets and quotes, with the place of each word.
 *
 * The text has one character for each byte of the file, so bytes beyond ASCII in strings come out
 * as they went in. What the words mean is decided in zone-file.ts.
 *
 * Source: RFC 1035 section 5.1.
 */
import { DnsValueError } from "./dns-error.ts";
import { readEscape, type RdataToken } from "./rdata-token.ts";

/** Where something stands in a file; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A word of a file. */
export class FileWord implements RdataToken, Place {
  readonly raw: string;
  readonly quoted: boolean;
  readonly line: number;
  readonly column: number;

  constructor(raw: string, quoted: boolean, line: number, column: number) {
    // What is not ASCII is shown as people wrote it.
    this.raw = /[\x80-\xff]/.test(raw) ? Buffer.from(raw, "latin1").toString("utf8") : raw;
    this.quoted = quoted;
    this.line = line;
    this.column = column;
    this.#bytes = raw;
  }

  readonly #bytes: string;

  /** @throws DnsValueError (E-DNS-VALUE) for a bad escape. */
  get bytes(): Uint8Array {
    const text = this.#bytes;
    if (!text.includes("\\")) return Buffer.from(text, "latin1");
    const bytes: number[] = [];
    for (let at = 0; at < text.length;) {
      if (text[at] !== "\\") bytes.push(text.charCodeAt(at++));
      else {
        const { byte, next } = readEscape(text, at);
        bytes.push(byte);
        at = next;
      }
    }
    return Uint8Array.from(bytes);
  }
}

/** One entry: the words up to the end of the line, or further when brackets are open. */
export interface FileEntry {
  /** At least one. */
  readonly words: readonly FileWord[];
  /** Whether it begins with a blank, so that the owner is the one before. */
  readonly indented: boolean;
}

/** An entry that is none; reading goes on at the next line. */
export class EntryProblem extends DnsValueError implements Place {
  readonly line: number;
  readonly column: number;

  constructor(message: string, hint: string, { line, column }: Place) {
    super("E-DNS-VALUE", message, { hint });
    this.line = line;
    this.column = column;
  }
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const OPENING = 0x28;
const CLOSING = 0x29;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;

export class EntryReader {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  /** @param text - One character for each byte. */
  constructor(text: string) {
    this.#text = text;
    // Editors on Windows begin a file so (U+FEFF in UTF-8).
    if (text.startsWith("\xef\xbb\xbf")) this.#lineStart = this.#at = 3;
  }

  /**
   * The next entry that has words; undefined at the end.
   *
   * @throws EntryProblem for an open quote or bracket and for control characters.
   */
  next(): FileEntry | undefined {
    try {
      return this.#entry();
    } catch (problem) {
      this.#skipLine();
      throw problem;
    }
  }

  #entry(): FileEntry | undefined {
    const text = this.#text;
    const words: FileWord[] = [];
    let opened: Place | undefined;
    let indented = false;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      if (code === LINE_FEED) {
        this.#newLine();
        if (opened !== undefined) continue;
        if (words.length > 0) return { words, indented };
        indented = false;
      } else if (code === SPACE || code === TAB || this.#endsLine(code)) {
        if (this.#at === this.#lineStart && opened === undefined) indented = true;
        this.#at += 1;
      } else if (code === SEMICOLON) this.#skipComment();
      else if (code === OPENING) {
        if (opened !== undefined) throw this.#problem("a ( within brackets", "Close it first.");
        opened = this.#place();
        this.#at += 1;
      } else if (code === CLOSING) {
        if (opened === undefined) throw this.#problem("a ) that closes nothing", "Remove it.");
        opened = undefined;
        this.#at += 1;
      } else words.push(this.#word());
    }
    if (opened !== undefined) {
      throw new EntryProblem("a ( is not closed before the end of the file", "Add the ).", opened);
    }
    return words.length > 0 ? { words, indented } : undefined;
  }

  #word(): FileWord {
    const text = this.#text;
    const start = this.#at;
    const place = this.#place();
    const quoted = text.charCodeAt(start) === QUOTE;
    let open = false;
    let raw = "";
    let from = start;
    let at = start;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === BACKSLASH) {
        const escaped = text.charCodeAt(at + 1);
        if (Number.isNaN(escaped) || escaped < SPACE) break;
        at += 1;
      } else if (code === QUOTE) {
        raw += text.slice(from, at);
        from = at + 1;
        open = !open;
        if (!open && quoted) {
          at += 1;
          break;
        }
      } else if (code === LINE_FEED || (open ? this.#endsLine(code, at) : endsWord(code))) break;
      else if (code < SPACE && code !== TAB) {
        this.#at = at;
        throw this.#problem("a control character", `Write it as \\${decimal(code)}.`);
      }
    }
    if (text.charCodeAt(at) === BACKSLASH) {
      this.#at = at;
      throw this.#problem("a \\ that nothing follows", "Write \\\\ for the character itself.");
    }
    if (open) throw this.#problem("a quote is not closed on its line", 'Add the ".');
    raw += text.slice(from, at);
    this.#at = at;
    return new FileWord(raw, quoted, place.line, place.column);
  }

  /** A carriage return counts only before a line feed. */
  #endsLine(code: number, at = this.#at): boolean {
    if (code !== CARRIAGE_RETURN) return false;
    const next = this.#text.charCodeAt(at + 1);
    return next === LINE_FEED || Number.isNaN(next);
  }

  #skipComment(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #skipLine(): void {
    this.#skipComment();
    if (this.#at < this.#text.length) this.#newLine();
  }

  #newLine(): void {
    this.#at += 1;
    this.#line += 1;
    this.#lineStart = this.#at;
  }

  #place(): Place {
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #problem(message: string, hint: string): EntryProblem {
    return new EntryProblem(message, hint, this.#place());
  }
}

function endsWord(code: number): boolean {
  return (
    code === SPACE ||
    code === TAB ||
    code === CARRIAGE_RETURN ||
    code === SEMICOLON ||
    code === OPENING ||
    code === CLOSING
  );
}

function decimal(code: number): string {
  return String(code).padStart(3, "0");
}
