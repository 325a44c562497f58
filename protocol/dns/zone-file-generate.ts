/**
 * $GENERATE: many entries of one form.
 *
 * `$GENERATE 1-250 host$ A 192.0.2.$` stands for 250 lines. `$` is the number, `${offset,width,base}`
 * the number in another form, `\$` the character.
 *
 * Source: BIND 9 Administrator Reference Manual, "BIND Primary File Extension: the $GENERATE Directive".
 */
import { DnsValueError } from "./dns-error.ts";
import { FileWord } from "./zone-file-words.ts";

/** As in BIND by default. */
const MAX_ENTRIES = 65_536;
const MAX_NUMBER = 2 ** 31 - 1;
const MAX_WIDTH = 255;

/**
 * The entries that the words after `$GENERATE` stand for: a range, then an entry with its owner.
 *
 * @throws DnsValueError (E-DNS-VALUE).
 */
export function* generateEntries(words: readonly FileWord[]): Generator<readonly FileWord[]> {
  const [range, ...form] = words;
  const [, start = "", stop = "", step = "1"] =
    /^(\d+)-(\d+)(?:\/(\d+))?$/.exec(range?.raw ?? "") ?? [];
  const [from, to, by] = [Number(start), Number(stop), Number(step)];
  if (start === "" || to < from || by < 1 || to > MAX_NUMBER) {
    throw refuse(`"${range?.raw}" is not a range`, "It looks like 1-250 or 0-100/10.");
  }
  if ((to - from) / by >= MAX_ENTRIES) {
    throw refuse(`more than ${MAX_ENTRIES} records would come of it`, "Take several ranges.");
  }
  for (let number = from; number <= to; number += by) {
    const entry = form.map((word) => fill(word, number));
    const [owner] = entry;
    // In one another, a line of them could stand for billions of records.
    if (owner?.raw.startsWith("$") === true && !owner.quoted) {
      throw refuse(`${owner.raw} follows $GENERATE`, "It makes records only.");
    }
    yield entry;
  }
}

function fill(word: FileWord, number: number): FileWord {
  if (!word.raw.includes("$")) return word;
  const text = word.raw.replaceAll(
    /\\\$|\$\$|\$\{([^}]*)\}|\$/g,
    (match: string, form: string | undefined) => {
      if (match === "\\$" || match === "$$") return "$";
      return form === undefined ? String(number) : formed(number, form);
    },
  );
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  return new FileWord(bytes, word.quoted, word.line, word.column);
}

function formed(number: number, form: string): string {
  const [, offset, width = "0", base = "d"] =
    /^([+-]?\d+)(?:,(\d+)(?:,([doxXnN]))?)?$/.exec(form) ?? [];
  const value = number + Number(offset ?? Number.NaN);
  if (offset === undefined || value < 0 || Number(width) > MAX_WIDTH) {
    throw refuse(`"\${${form}}" is not a form of a number`, "It looks like ${0,3,d}.");
  }
  if (base === "n" || base === "N") return nibbles(value, Number(width), base === "N");
  const radix = base === "d" ? 10 : base === "o" ? 8 : 16;
  const digits = value.toString(radix).padStart(Number(width), "0");
  return base === "X" ? digits.toUpperCase() : digits;
}

/** Hexadecimal digits as labels, the lowest first; the width counts the dots. */
function nibbles(value: number, width: number, upper: boolean): string {
  const count = Math.max(value.toString(16).length, Math.ceil(width / 2));
  const digits = value.toString(16).padStart(count, "0");
  const text = digits.split("").toReversed().join(".");
  return upper ? text.toUpperCase() : text;
}

function refuse(message: string, hint: string): DnsValueError {
  return new DnsValueError("E-DNS-VALUE", message, { hint });
}
