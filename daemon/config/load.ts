/**
 * Reads the configuration: one TOML file and the files of `conf.d` beside it, in their order.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { joinParts, type Config, type ConfigPart } from "./config.ts";
import { ConfigError } from "./error.ts";
import { lineOf, nearestName } from "./locate.ts";
import { fileShape, namesAt } from "./schema.ts";

/** Far above any real one; keeps the search for lines short. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * The checked configuration.
 *
 * @throws ConfigError with the file and line of the first thing that is wrong.
 */
export function loadConfig(file: string): Config {
  const first = resolve(file);
  const parts = [first, ...partFiles(first)].map(loadPart);
  return joinParts(first, parts);
}

/** Files of `conf.d` that end in .toml, by name. */
function partFiles(first: string): string[] {
  const folder = join(dirname(first), "conf.d");
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw unreadable(folder, cause);
  }
  return names
    .filter((name) => name.endsWith(".toml"))
    .sort()
    .map((name) => join(folder, name));
}

function loadPart(file: string): ConfigPart {
  const text = readText(file);
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const what = cause.message.split("\n", 1)[0]?.replace("Invalid TOML document: ", "") ?? "";
    const message = `${file}:${cause.line}: is not TOML: ${what}.`;
    throw new ConfigError("E-CONFIG-TOML", message, { exit: 2, cause });
  }
  const checked = fileShape.safeParse(value);
  if (checked.success) return { file, content: checked.data };
  const [issue] = checked.error.issues;
  if (issue === undefined) throw checked.error;
  throw explain(file, text, ofForm(issue));
}

/** Of a value that may have several forms: what is wrong with the one that it has. */
function ofForm(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors
    .flatMap(([first]) => first ?? [])
    .find(({ code, path }) => path.length > 0 || code === "custom" || code === "unrecognized_keys");
  return inner === undefined ? issue : { ...inner, path: [...issue.path, ...inner.path] };
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE_BYTES) {
      const message = `${file} has ${size} bytes; a configuration has at most ${MAX_FILE_BYTES}.`;
      throw new ConfigError("E-CONFIG-FILE", message, { exit: 2 });
    }
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw unreadable(file, cause);
  }
}

function unreadable(file: string, cause: unknown): ConfigError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = code === "ENOENT" ? "is not there" : `cannot be read (${message})`;
  const another = "Name another:  --config FILE   or   PLEACH_CONFIG=FILE";
  return new ConfigError("E-CONFIG-FILE", `The configuration ${file} ${why}.`, {
    hint: code === "EACCES" ? "Run the command as root, or join the group of the file." : another,
    exit: 2,
    cause,
  });
}

/** For example `pleach.toml:7: unknown key "spcae" in [give]. Did you mean "space"?` */
function explain(file: string, text: string, issue: z.core.$ZodIssue): ConfigError {
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const nearest = nearestName(key, namesAt(issue.path));
    const known = namesAt(issue.path).join(", ");
    const message = `${position(file, text, [...issue.path, key])} unknown key "${key}"${inTable(issue.path)}.`;
    const hint = nearest === undefined ? `Known here: ${known}.` : `Did you mean "${nearest}"?`;
    return new ConfigError("E-CONFIG-KEY", message, { hint, exit: 2 });
  }
  const at = position(file, text, issue.path);
  const message = `${at} ${pathText(issue.path)} ${valueProblem(issue)}.`;
  return new ConfigError("E-CONFIG-VALUE", message, { exit: 2 });
}

function position(file: string, text: string, path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length--) {
    const line = lineOf(text, path.slice(0, length));
    if (line !== undefined) return `${file}:${line}:`;
  }
  return `${file}:`;
}

function inTable(path: readonly PropertyKey[]): string {
  const names = path.filter((step) => typeof step === "string");
  if (names.length === 0) return "";
  return typeof path.at(-1) === "number"
    ? ` in [[${names.join(".")}]]`
    : ` in [${names.join(".")}]`;
}

function pathText(path: readonly PropertyKey[]): string {
  const names = path.filter((step) => typeof step === "string");
  return names.length === 0 ? "the file" : names.join(".");
}

function valueProblem(issue: z.core.$ZodIssue): string {
  if (
    issue.code === "invalid_type" &&
    issue.input === undefined &&
    /undefined/.test(issue.message)
  ) {
    return "is missing";
  }
  const text = issue.message.replace(/^Invalid (input|option): /, "");
  return /^(must|has|is)\b/.test(text) ? text : `is not right: ${text}`;
}
