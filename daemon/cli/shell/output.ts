/**
 * The one file that prints.
 *
 * The rules of the user interface: results go to standard output, words for people to standard
 * error. With `--json` the result is one object on one line with `schemaVersion` first, long work
 * gives one object a line (NDJSON), and an error is an object, too. Lines fit 80 columns, colour
 * only marks what words say as well, and NO_COLOR turns it off. Texts never end in an
 * exclamation mark.
 */
import { fstatSync } from "node:fs";
import { reportOf } from "./exit.ts";
import { ProgressLine, type Progress } from "./progress.ts";

/** What a JSON line may hold; `undefined` fields are left out. */
export type JsonFields = Readonly<Record<string, unknown>>;

/** Where the lines go, so that a test can read them. */
export interface Sinks {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Whether standard error is a terminal. */
  readonly terminal: boolean;
  readonly color: boolean;
  /** Whether standard error is the journal of systemd, which takes a priority before each line. */
  readonly journal?: boolean;
}

/** syslog(3) priorities. */
const WARNING = 4;
const ERROR = 3;

export type Tint = "red" | "yellow" | "green" | "bold" | "dim";
const TINTS: Readonly<Record<Tint, number>> = { red: 31, yellow: 33, green: 32, bold: 1, dim: 2 };

/** Longer words, such as paths, stay whole. */
const ERROR_WIDTH = 80;

export class Output {
  /** Whether `--json` was given. */
  readonly json: boolean;
  readonly #sinks: Sinks;
  readonly #progress: ProgressLine;

  constructor(json: boolean, sinks: Sinks = processSinks()) {
    this.json = json;
    this.#sinks = sinks;
    this.#progress = new ProgressLine(sinks);
  }

  /**
   * The result of the command, once, at its end.
   *
   * @param fields - Printed with `--json`, after `schemaVersion`.
   * @param text - Printed otherwise; a function is only called then. An empty text prints nothing.
   */
  result(fields: JsonFields, text: string | (() => string)): void {
    this.#progress.clear();
    if (this.json) return this.#object({ schemaVersion: 1, ...fields });
    const words = typeof text === "string" ? text : text();
    if (words !== "") this.#sinks.stdout(words.endsWith("\n") ? words : `${words}\n`);
  }

  /** One line of a long work, with `--json` only: `{"schemaVersion":1,"type":…,…}`. */
  event(type: string, fields: JsonFields): void {
    if (this.json) this.#object({ schemaVersion: 1, type, ...fields });
  }

  /** One line of a result that has no end, such as events; silent with `--json`. */
  line(text: string): void {
    if (!this.json) this.#sinks.stdout(`${text}\n`);
  }

  /** Words for a person on standard error; silent with `--json`. */
  note(text: string): void {
    if (this.json) return;
    this.#progress.clear();
    this.#sinks.stderr(`${text}\n`);
  }

  /** A warning; printed on standard error even with `--json`, which only speaks for stdout. */
  warn(text: string): void {
    this.#progress.clear();
    this.#tell(WARNING, [`${this.tint("yellow", "warning")} ${text}`]);
  }

  /**
   * How far a long work is. Call it as often as you like: a terminal sees one line that changes
   * at most four times a second, a pipe a line each 10 s, `--json` an event `progress` each 1 s.
   */
  progress(state: Progress): void {
    if (this.json) this.#progress.throttled(1000, () => this.event("progress", { ...state }));
    else this.#progress.show(state);
  }

  /** An error in the words of `error E-CODE: what`, what changed, and what to do next. */
  error(thrown: unknown): void {
    this.#progress.clear();
    const report = reportOf(thrown);
    if (this.json) return this.#object(report);
    const { code, message, changed, hint, details = [] } = report.error;
    // It can hold words of a peer, a file or a daemon that lies: no escapes to the terminal.
    const plain = (text: string): string => text.replaceAll(/\p{Cc}+/gu, " ");
    const [head = "", ...rest] = wrap(plain(`error ${code}: ${message}`), ERROR_WIDTH);
    const title = `error ${code}:`;
    const lines = [`${this.tint("red", title)}${head.slice(title.length)}`, ...rest];
    // Not wrapped: who opens the file at the place it names wants the line as one.
    lines.push(...details.map((detail) => `  ${plain(detail)}`), changed);
    if (hint !== null) lines.push(...wrap(hint, ERROR_WIDTH));
    if (process.env["PLEACH_DEBUG"] && thrown instanceof Error)
      lines.push(...String(thrown.stack).split("\n"));
    this.#tell(ERROR, lines);
  }

  /** The same text in a colour when standard output shows colours. */
  tint(tint: Tint, text: string): string {
    return this.#sinks.color ? `\u001b[${TINTS[tint]}m${text}\u001b[0m` : text;
  }

  #tell(priority: number, lines: readonly string[]): void {
    const prefix = this.#sinks.journal === true ? `<${priority}>` : "";
    this.#sinks.stderr(lines.map((line) => `${prefix}${line}\n`).join(""));
  }

  #object(value: object): void {
    this.#sinks.stdout(`${JSON.stringify(value)}\n`);
  }
}

/** Columns with two blanks between them; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  }
  return rows
    .map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Lines of whole words, none longer than `width` unless a word is. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function processSinks(): Sinks {
  const { stdout, stderr, env } = process;
  return {
    stdout: (text) => void stdout.write(text),
    stderr: (text) => void stderr.write(text),
    terminal: stderr.isTTY,
    color: stdout.isTTY && !env["NO_COLOR"] && env["TERM"] !== "dumb",
    journal: isJournal(stderr.fd, env["JOURNAL_STREAM"]),
  };
}

/** Whether a file is the one that systemd names in the environment. Source: systemd.exec(5). */
function isJournal(file: number, named: string | undefined): boolean {
  if (named === undefined) return false;
  const { dev, ino } = fstatSync(file);
  return named === `${dev}:${ino}`;
}
