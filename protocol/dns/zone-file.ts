/**
 * Zone files: which records a file says, or where and why it cannot be read.
 *
 * Reading goes on after a mistake, so that a person sees all of them at once; a file with one
 * mistake has no records that anybody may use. What the records may be together is decided where
 * a file becomes a zone.
 *
 * Source: RFC 1035 section 5, RFC 2308 section 4 for $TTL, RFC 3597 section 5 for types and classes
 * by number; $GENERATE and what no RFC says as in BIND.
 */
import { PleachError } from "../error.ts";
import { lowerCase, parseDnsName, type DnsName } from "./dns-name.ts";
import { parseSeconds } from "./dns-ttl.ts";
import { formatType, isZoneType, parseType, TYPE } from "./dns-type.ts";
import { DnsValueError } from "./dns-error.ts";
import { parseRdataWords } from "./rdata.ts";
import { generateEntries } from "./zone-file-generate.ts";
import { EntryProblem, EntryReader, type FileWord, type Place } from "./zone-file-words.ts";

/** More mistakes than this are not looked for. */
const MAX_PROBLEMS = 20;
/** A mesh holds fewer; a file that includes itself is long before stopped by its depth. */
const MAX_RECORDS = 1_000_000;
/** As in BIND. */
const MAX_INCLUDE_DEPTH = 10;
const MAX_INCLUDES = 1000;

export interface FileRecord extends Place {
  /** Absolute, in lower case. */
  readonly owner: DnsName;
  readonly type: number;
  /** Seconds, 0 to 2^31 - 1. */
  readonly ttl: number;
  /** Uncompressed wire form. */
  readonly rdata: Uint8Array;
  /** The name of the file that it stands in. */
  readonly file: string;
}

export interface FileProblem extends Place {
  readonly file: string;
  /** Why the entry cannot be used, without a final stop or with. */
  readonly message: string;
  /** What to do. */
  readonly hint: string | undefined;
}

export interface ZoneFileText {
  /** As a person knows it; stands in problems. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface ZoneFileOptions {
  /** What relative names are below of until an $ORIGIN says otherwise. */
  readonly origin?: DnsName | undefined;
  /**
   * The file that an $INCLUDE in `from` names. Without it $INCLUDE is a problem.
   *
   * @throws PleachError when it cannot be read.
   */
  readonly include?: (name: string, from: string) => ZoneFileText;
}

export interface ZoneFileContent {
  readonly records: readonly FileRecord[];
  /** In the order of the file; not all when there are many. */
  readonly problems: readonly FileProblem[];
  /** Records that only a signer makes, by type: they are left out. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/** @throws nothing: what is wrong stands in `problems`. */
export function readZoneFile(file: ZoneFileText, options: ZoneFileOptions = {}): ZoneFileContent {
  const reading = new Reading(options);
  reading.file(file, options.origin, 0);
  return reading;
}

/** Where names are below of, and whose records follow; each included file begins with its own. */
interface Position {
  readonly file: string;
  readonly depth: number;
  origin: DnsName | undefined;
  owner: DnsName | undefined;
}

/** Stops reading; the problem is noted. */
class Enough extends Error {}

class Reading implements ZoneFileContent {
  readonly records: FileRecord[] = [];
  readonly problems: FileProblem[] = [];
  readonly leftOut = new Map<string, number>();
  readonly #options: ZoneFileOptions;
  #includes = 0;
  /** By $TTL. */
  #defaultTtl: number | undefined;
  /** Of the last record that said one (RFC 1035 section 5.1), or the MINIMUM of the SOA. */
  #lastTtl: number | undefined;

  constructor(options: ZoneFileOptions) {
    this.#options = options;
  }

  file({ name, bytes }: ZoneFileText, origin: DnsName | undefined, depth: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const entries = new EntryReader(text);
    const position: Position = { file: name, depth, origin, owner: undefined };
    try {
      while (this.#next(entries, position));
    } catch (stop) {
      if (!(stop instanceof Enough) || depth > 0) throw stop;
    }
  }

  #next(entries: EntryReader, position: Position): boolean {
    let place: Place = { line: 1, column: 1 };
    try {
      const entry = entries.next();
      if (entry === undefined) return false;
      place = entry.words[0] ?? place;
      this.#entry(entry.words, entry.indented, position, (word) => (place = word));
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      const { line, column } = error instanceof EntryProblem ? error : place;
      const { message, hint } = error;
      this.problems.push({ file: position.file, line, column, message, hint });
      if (this.problems.length >= MAX_PROBLEMS) throw new Enough();
    }
    return true;
  }

  /** @param at - Told of each word before it is read. */
  #entry(
    words: readonly FileWord[],
    indented: boolean,
    position: Position,
    at: (word: FileWord) => void,
  ): void {
    const [first] = words;
    if (!indented && first?.raw.startsWith("$") === true && !first.quoted) {
      return this.#directive(first, words.slice(1), position, at);
    }
    let next = 0;
    if (!indented && first !== undefined) {
      position.owner = lowerCase(this.#name(first, position));
      next = 1;
    }
    const { owner } = position;
    if (owner === undefined) throw refuse("no owner stands before this record", "Write its name.");
    const { ttl, type, used } = this.#head(words, next, at);
    this.#record({ owner, type, ttl, words: words.slice(used), place: words[0] }, position, at);
  }

  /** TTL and class in either order, then the type. */
  #head(words: readonly FileWord[], from: number, at: (word: FileWord) => void) {
    let ttl: number | undefined;
    let hasClass = false;
    for (let used = from; used < words.length; used++) {
      const word = words[used];
      if (word === undefined) break;
      at(word);
      if (ttl === undefined && /^[0-9]/.test(word.raw)) ttl = parseSeconds(word.raw);
      else if (!hasClass && isClass(word)) hasClass = true;
      else return { ttl, type: parseType(word.raw), used: used + 1 };
    }
    throw refuse("the type is missing", "An entry is: name, TTL, class, type, data.");
  }

  #record(
    made: {
      readonly owner: DnsName;
      readonly type: number;
      readonly ttl: number | undefined;
      readonly words: readonly FileWord[];
      readonly place: FileWord | undefined;
    },
    position: Position,
    at: (word: FileWord) => void,
  ): void {
    const { owner, type, words } = made;
    if (made.ttl !== undefined) this.#lastTtl = made.ttl;
    if (isSignersType(type)) {
      this.leftOut.set(formatType(type), (this.leftOut.get(formatType(type)) ?? 0) + 1);
      return;
    }
    if (!isZoneType(type)) {
      throw refuse(`${formatType(type)} records cannot stand in a zone`, "Remove the line.");
    }
    const origin = position.origin ?? NO_ORIGIN;
    const rdata = parseRdataWords(type, words, origin, undefined, (index) => {
      const word = words[index];
      if (word !== undefined) at(word);
    });
    if (position.origin === undefined) refuseRelative(rdata, words);
    const ttl = made.ttl ?? this.#defaultTtl ?? this.#lastTtl ?? minimumOf(type, rdata);
    if (ttl === undefined) {
      if (made.place !== undefined) at(made.place);
      throw refuse("the record has no TTL", "Give it one, or begin the file with $TTL 1h.");
    }
    this.#lastTtl ??= minimumOf(type, rdata);
    const { line, column } = made.place ?? { line: 1, column: 1 };
    this.records.push({ owner, type, ttl, rdata, file: position.file, line, column });
    if (this.records.length <= MAX_RECORDS) return;
    const message = `there are more than ${MAX_RECORDS} records`;
    this.problems.push({ file: position.file, line, column, message, hint: undefined });
    throw new Enough();
  }

  #directive(
    name: FileWord,
    words: readonly FileWord[],
    position: Position,
    at: (word: FileWord) => void,
  ): void {
    const [first, second] = words;
    const directive = name.raw.toUpperCase();
    const most = directive === "$GENERATE" ? Infinity : directive === "$INCLUDE" ? 2 : 1;
    if (!DIRECTIVES.has(directive)) {
      const known = [...DIRECTIVES].join(", ");
      throw refuse(`${name.raw} is not a directive`, `Known are ${known}.`);
    }
    if (first === undefined) throw refuse(`${directive} needs a value`, "See RFC 1035 section 5.");
    at(first);
    const extra = words[most];
    if (extra !== undefined) {
      at(extra);
      throw refuse(`${extra.raw} follows ${directive}`, "Remove it.");
    }
    if (directive === "$ORIGIN") position.origin = lowerCase(this.#name(first, position));
    else if (directive === "$TTL") this.#defaultTtl = parseSeconds(first.raw);
    else if (directive === "$GENERATE") this.#generate(words, position, at);
    else this.#include(first, second, position, at);
  }

  /**
   * RFC 1035 section 5.1: "a $INCLUDE entry never changes the relative origin of the parent file".
   * So with the owner; a $TTL stays, as in BIND.
   */
  #include(
    word: FileWord,
    origin: FileWord | undefined,
    position: Position,
    at: (word: FileWord) => void,
  ): void {
    const { include } = this.#options;
    if (include === undefined) {
      throw refuse("$INCLUDE cannot be followed here", "Put the lines of that file in its place.");
    }
    this.#includes += 1;
    if (position.depth >= MAX_INCLUDE_DEPTH || this.#includes > MAX_INCLUDES) {
      const limit = `${MAX_INCLUDE_DEPTH} deep, ${MAX_INCLUDES} in all`;
      throw refuse(
        `too many files include one another (at most ${limit})`,
        "Does one include itself?",
      );
    }
    if (origin !== undefined) at(origin);
    const below = origin === undefined ? position.origin : this.#name(origin, position);
    at(word);
    this.file(include(word.raw, position.file), below, position.depth + 1);
  }

  #generate(words: readonly FileWord[], position: Position, at: (word: FileWord) => void): void {
    for (const entry of generateEntries(words)) this.#entry(entry, false, position, at);
  }

  #name(word: FileWord, { origin }: Position): DnsName {
    const name = parseDnsName(word.raw, origin ?? NO_ORIGIN);
    if (origin === undefined) refuseRelative(name, [word]);
    return name;
  }
}

const DIRECTIVES: ReadonlySet<string> = new Set(["$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE"]);

/** RRSIG and the proofs of absence: they are made anew by whoever signs the zone. */
function isSignersType(type: number): boolean {
  return (
    type === TYPE.RRSIG || type === TYPE.NSEC || type === TYPE.NSEC3 || type === TYPE.NSEC3PARAM
  );
}

/** @throws DnsValueError for a class other than IN. */
function isClass({ raw, quoted }: FileWord): boolean {
  const text = raw.toUpperCase();
  if (quoted || !/^(?:IN|CS|CH|HS|CLASS[0-9]{1,5})$/.test(text)) return false;
  if (text === "IN" || text === "CLASS1") return true;
  throw refuse(`the class ${raw} is not served`, "Only IN is.");
}

/** RFC 1035 section 3.3.13: the TTL of records that have none, where no $TTL is (RFC 2308). */
function minimumOf(type: number, rdata: Uint8Array): number | undefined {
  return type === TYPE.SOA ? Buffer.from(rdata).readUInt32BE(rdata.length - 4) : undefined;
}

/**
 * Stands in for the origin where nothing says what it is: names have to be absolute there. No
 * name that a file can write has this label by chance.
 */
const NO_ORIGIN = parseDnsName("\\000no\\000origin\\000.");
const NO_ORIGIN_LABEL = Buffer.from(NO_ORIGIN.subarray(0, NO_ORIGIN.length - 1));

/** @throws DnsValueError for a name, or data with names, that are relative to nothing. */
function refuseRelative(bytes: Uint8Array, words: readonly FileWord[]): void {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(NO_ORIGIN_LABEL)) return;
  const shown = words.map(({ raw }) => raw).join(" ");
  throw refuse(
    `"${shown}" is relative, and nothing says to what`,
    "Give --zone NAME, or begin the file with $ORIGIN NAME.",
  );
}

function refuse(message: string, hint: string): DnsValueError {
  return new DnsValueError("E-DNS-VALUE", message, { hint });
}

/** `mesh.example.zone:12:5: …`, for people. */
export function problemText({ file, line, column, message, hint }: FileProblem): string {
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return `${file}:${line}:${column}: ${sentence}${hint === undefined ? "" : ` ${hint}`}`;
}
