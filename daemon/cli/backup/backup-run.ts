/** `pleach backup run`: one run of a data set, from its files to a head that the daemon stored. */
import { Command } from "commander";
import { runBackup, type RunOutcome } from "../../backup/client/run/backup-run.ts";
import { BackupError } from "../../backup/client/error.ts";
import type { SetKeyFile } from "../../backup/client/keys/set-key-file.ts";
import type { BackupConfig } from "../../config/config.ts";
import { PleachError } from "../../../protocol/error.ts";
import { headOf, setDetail, setStore } from "./backup-link.ts";
import { cacheFolder, exclusion } from "./backup-paths.ts";
import { preparation, streamOf } from "./backup-source.ts";
import { help, type CliContext } from "../shell/context.ts";
import { formatBytes, formatDuration } from "../shell/quantities.ts";
import { reportRun } from "./report-run.ts";
import { keysOf, tendBeside } from "./set-keys.ts";
import { tellRules } from "./tell-rules.ts";

/** Paths that are shown to a person; --json has all. */
const SHOWN_PATHS = 20;

interface RunOptions {
  readonly ifDue?: boolean;
  readonly copies?: string;
  readonly stdin?: boolean;
}

export function runCommand(context: CliContext): Command {
  const run = new Command("run")
    .argument("<name>", "of a [[backup]] in the configuration")
    .option("--if-due", "do nothing when the last run is younger than its `every`")
    .option("--stdin", "back up what comes on standard input")
    .option("--copies <number>", "remote sites wanted, 1 to 16 (default: as configured, else 3)")
    .action((name: string, options: RunOptions) => runSet(context, name, options));
  return help(run, "Backs a data set up: reads, seals, stores; the daemon spreads it.", [
    ["pleach backup run nextcloud", "now"],
    ["pleach backup run nextcloud --if-due", "for a timer"],
    ["pg_dump wiki | pleach backup run wiki --stdin", "a set with stdin = true"],
  ]);
}

async function runSet(context: CliContext, name: string, options: RunOptions): Promise<void> {
  const configured = configuredSet(context, name);
  const copies = options.copies === undefined ? configured.copies : copiesOf(options.copies);
  const stream = streamOf(configured, context.config, options.stdin === true);
  const before = preparation(configured, context.config);
  const erased = [...(await tendBeside(context, configured))];
  const keys = keysOf(context.config.keys, name);
  const startedAtMs = Date.now();
  if (options.ifDue === true) {
    const head = headOf((await setDetail(context.client, keys.set))?.head ?? null);
    if (head !== null && startedAtMs - head.atMs < configured.everyMs) {
      const result = { name, due: false, lastAtMs: head.atMs, erasedEpochs: erased };
      context.out.result(result, `${name} is not due yet.`);
      return;
    }
  }
  const report = { setId: keys.set as string, startedAtMs };
  try {
    await tellRules(context, keys.set, configured);
    const started = performance.now();
    const outcome = await runBackup({
      keys,
      ...(before === undefined ? {} : { before }),
      ...(stream === undefined ? {} : { stream }),
      paths: configured.paths.map((path) => Buffer.from(path)),
      excluded: exclusion(configured, context.config),
      oneFileSystem: configured.oneFileSystem,
      cut: configured.cut,
      copies,
      store: setStore(context.client, keys.set),
      cacheFolder: cacheFolder(context.config),
      isSealed: configured.history === "sealed",
      now: Date.now,
      onProgress: ({ files, readBytes, bytes }, storedBytes) =>
        context.out.progress({
          step: `backing up ${name}, ${formatBytes(storedBytes)} sealed`,
          doneFiles: files,
          doneBytes: bytes,
          bytesPerSecond: readBytes / ((performance.now() - started) / 1000),
        }),
    });
    const unreadable = outcome.figures.unreadable.length;
    const result = unreadable > 0 ? "partly" : "done";
    const endedAtMs = Date.now();
    await reportRun(context, name, { ...report, result, endedAtMs, unreadable, error: null });
    if (unreadable > 0) context.exit = 3;
    erased.push(...(await tendBeside(context, configured)));
    show(context, keys, outcome, (performance.now() - started) / 1000, erased);
  } catch (error) {
    const code = error instanceof PleachError ? error.code : "E-BUG";
    const ended = { endedAtMs: Date.now(), unreadable: 0, error: code };
    // A daemon that cannot be reached cannot be told either.
    if (!code.startsWith("E-DAEMON")) {
      await reportRun(context, name, { ...report, ...ended, result: "failed" });
    }
    throw error;
  }
}

/** The set of that name in the configuration. @throws BackupError E-BACKUP-UNKNOWN. */
export function configuredSet(context: CliContext, name: string): BackupConfig {
  const found = context.config.backups.find((set) => set.name === name);
  if (found !== undefined) return found;
  throw new BackupError("E-BACKUP-UNKNOWN", `No [[backup]] has the name "${name}".`, {
    hint: `Create it:  pleach backup add ${name} --path DIR`,
    exit: 2,
  });
}

function copiesOf(text: string): number {
  const copies = Number(text);
  if (Number.isInteger(copies) && copies >= 1 && copies <= 16) return copies;
  throw new BackupError("E-BACKUP-UNKNOWN", `"${text}" is no number of copies (1 to 16).`, {
    exit: 2,
  });
}

function show(
  context: CliContext,
  keys: SetKeyFile,
  outcome: RunOutcome,
  seconds: number,
  erased: readonly number[],
): void {
  const { head, figures, storedBytes, storedShards, total, cacheTrouble } = outcome;
  const { files, bytes, readFiles, readBytes, unreadable, changed } = figures;
  for (const { path, reason } of unreadable.slice(0, SHOWN_PATHS)) {
    context.out.note(`not read: ${path} (${reason})`);
  }
  if (unreadable.length > SHOWN_PATHS) {
    context.out.note(`not read: ${unreadable.length - SHOWN_PATHS} more (--json lists all)`);
  }
  if (cacheTrouble !== undefined) {
    const what = "The caches were not written";
    context.out.note(`${what} (${cacheTrouble}): the next run reads every file again.`);
  }
  for (const path of changed.slice(0, SHOWN_PATHS)) {
    context.out.note(`changed while it was read: ${path}`);
  }
  context.out.result(
    {
      name: keys.name,
      set: keys.set,
      head,
      files,
      bytes,
      readFiles,
      readBytes,
      newBytes: storedBytes,
      newShards: storedShards,
      sealedBytes: total.bytes,
      shards: total.shards,
      unreadable,
      changed,
      keyEpoch: keys.epochs.at(-1)?.epoch,
      erasedEpochs: erased,
      seconds: Math.round(seconds * 1000) / 1000,
      peakMiB: Math.ceil(process.resourceUsage().maxRSS / 1024),
    },
    [
      `Snapshot ${head.number} of ${keys.name}: ${files} files, ${formatBytes(bytes)}` +
        ` in ${formatDuration(seconds * 1000)}.`,
      `Read ${readFiles} files (${formatBytes(readBytes)}), stored ${formatBytes(storedBytes)} new.`,
      unreadable.length === 0
        ? `Copies:  pleach backup show ${keys.name}`
        : `${unreadable.length} could not be read and are not in it.`,
    ].join("\n"),
  );
}
