/** `pleach backup add`: a new data set, its part of the configuration, its keys, its timer. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { BackupError } from "../../backup/client/error.ts";
import { syncFolder } from "../../backup/client/keys/secret-file.ts";
import { loadConfig } from "../../config/load.ts";
import { applyTimers, timedSets } from "./backup-timers.ts";
import { help, type CliContext } from "../shell/context.ts";
import { UsageError } from "../shell/exit.ts";
import { keysOf } from "./set-keys.ts";

interface AddOptions {
  readonly path: readonly string[];
  readonly command?: readonly string[];
  readonly stdin?: boolean;
  readonly file?: string;
  readonly exclude: readonly string[];
  readonly oneFileSystem?: boolean;
  readonly images?: boolean;
  readonly every?: string;
  readonly history?: string;
  readonly epoch?: string;
  readonly copies?: string;
  readonly country: readonly string[];
  readonly notCountry: readonly string[];
  readonly holder: readonly string[];
  readonly dropLocal?: boolean;
}

export function addCommand(context: CliContext): Command {
  const add = new Command("add")
    .argument("<name>", "1 to 63 of a-z, 0-9 and -")
    .option("--path <dir>", "what to back up; may be repeated", collect, [])
    .option("--command <words...>", "instead of paths: a program, whose output is backed up")
    .option("--stdin", "instead of paths: what a run is given on standard input")
    .option("--file <name>", "name of the file that the output or input becomes")
    .option("--exclude <pattern>", "what to leave out; may be repeated", collect, [])
    .option("--one-file-system", "leave out what is mounted below the paths")
    .option("--images", "images of disks: cut at each 4 MiB, not by content")
    .option("--every <time>", "how often, such as 24h")
    .option("--history <kind>", "box: this box can read its past; sealed: only the phrase can")
    .option("--epoch <time>", "how long one key is used: run, or a time (default 30d)")
    .option("--copies <number>", "copies at other sites, 1 to 16 (default: 3)")
    .option("--country <code>", "copies only there, such as FR; may be repeated", collect, [])
    .option("--not-country <code>", "no copy there; may be repeated", collect, [])
    .option("--holder <site>", "copies only at this site; may be repeated", collect, [])
    .option("--drop-local", "keep no copy here once the other sites have signed for theirs")
    .action(async (name: string, options: AddOptions) => {
      const file = writePart(context, name, options);
      const keys = keysOf(context.config.keys, name);
      const timers = await applyTimers(timedSets(loadConfig(context.configFile)));
      context.out.result({ name, set: keys.set, file: file ?? null, timers }, () =>
        [
          file === undefined
            ? `${name} has its keys.`
            : `${name} is in ${file}, its keys are in ${context.config.keys}.`,
          "Tell the daemon:  systemctl reload pleach",
          options.stdin === true
            ? `Give it:          PROGRAM | pleach backup run ${name} --stdin`
            : `First run:        pleach backup run ${name}`,
        ].join("\n"),
      );
    });
  return help(add, "Makes a data set: configuration, keys, timer.", [
    ["pleach backup add nextcloud --path /srv/nextcloud/data", "once a day"],
    ["pleach backup add mail --path /srv/mail --exclude '*.lock' --every 6h", "four times"],
    ["pleach backup add crm --command /usr/bin/mysqldump crm", "what a program prints"],
    [
      "pleach backup add books --path /srv/books --history sealed",
      "a past that a thief of the box cannot read",
    ],
    ["pleach backup add crm --path /srv/crm --country FR --country DE", "copies only there"],
    ["pleach backup add wiki", "keys for a [[backup]] that is configured already"],
  ]);
}

/** Writes `conf.d/backup-NAME.toml`. Undefined when the set is configured already. */
function writePart(context: CliContext, name: string, options: AddOptions): string | undefined {
  const configured = context.config.backups.some((set) => set.name === name);
  const sources = sourceLines(options);
  const { history, epoch } = options;
  if (configured && sources.length === 0 && (history ?? epoch) === undefined) return undefined;
  if (configured) {
    throw new BackupError("E-BACKUP-EXISTS", `A [[backup]] has the name "${name}" already.`, {
      hint: `Change it in ${context.config.file} or conf.d beside it.`,
      exit: 2,
    });
  }
  if (sources.length === 0) {
    throw new UsageError("What shall be backed up?", `pleach backup add ${name} --path DIR`);
  }
  const lines = ["[[backup]]", `name = ${quote(name)}`, ...sources];
  if (options.file !== undefined) lines.push(`file = ${quote(options.file)}`);
  if (options.exclude.length > 0) lines.push(`exclude = ${list(options.exclude)}`);
  if (options.oneFileSystem === true) lines.push("one_file_system = true");
  if (options.images === true) lines.push(`cut = "fixed"`);
  if (options.every !== undefined) lines.push(`every = ${quote(options.every)}`);
  if (options.history !== undefined) lines.push(`history = ${quote(options.history)}`);
  if (options.epoch !== undefined) lines.push(`epoch = ${quote(options.epoch)}`);
  if (options.copies !== undefined) lines.push(`copies = ${Number(options.copies)}`);
  if (options.country.length > 0) lines.push(`countries = ${list(options.country)}`);
  if (options.notCountry.length > 0) lines.push(`not_countries = ${list(options.notCountry)}`);
  if (options.holder.length > 0) lines.push(`holders = ${list(options.holder)}`);
  if (options.dropLocal === true) lines.push(`local = "drop"`);
  const folder = join(dirname(context.config.file), "conf.d");
  const file = join(folder, `backup-${name}.toml`);
  if (!existsSync(folder)) {
    mkdirSync(folder);
    shareLike(dirname(folder), folder);
  }
  const unfinished = `${file}.tmp`;
  writeFileSync(unfinished, `${lines.join("\n")}\n`, { mode: 0o600, flush: true });
  shareLike(context.config.file, unfinished);
  renameSync(unfinished, file);
  try {
    loadConfig(context.configFile);
  } catch (error) {
    rmSync(file);
    throw error;
  }
  syncFolder(folder);
  syncFolder(dirname(folder));
  return file;
}

/** What is backed up; the configuration refuses two of them. */
function sourceLines({ path, command, stdin }: AddOptions): readonly string[] {
  const paths = path.map((each) => resolve(each));
  const missing = paths.find((each) => !existsSync(each));
  if (missing !== undefined) {
    throw new BackupError("E-BACKUP-PATH", `${missing} is not there.`, { exit: 2 });
  }
  return [
    ...(paths.length === 0 ? [] : [`paths = ${list(paths)}`]),
    ...(command === undefined ? [] : [`command = ${list(command)}`]),
    ...(stdin === true ? ["stdin = true"] : []),
  ];
}

/** Who may read one part of the configuration may read the other: the daemon reads both. */
function shareLike(model: string, file: string): void {
  const { mode, uid, gid } = statSync(model);
  chownSync(file, uid, gid);
  chmodSync(file, mode & 0o755);
}

/** JSON strings and arrays of them are TOML, too. */
function quote(text: string): string {
  return JSON.stringify(text);
}

function list(texts: readonly string[]): string {
  return `[${texts.map(quote).join(", ")}]`;
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
