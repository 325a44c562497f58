/** `pleach restore`: a snapshot of a data set of this site, into a new directory. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { BackupError } from "../../backup/client/error.ts";
import type { ChunkLocator } from "../../backup/client/seal/chunk-locator.ts";
import { readJobKeys } from "../../backup/client/keys/job-keys.ts";
import { missingEpochs } from "../../backup/client/keys/needed-epochs.ts";
import { locate, planRestore, type RestorePlan } from "../../backup/client/restore/restore-plan.ts";
import type { RestoreFigures } from "../../backup/client/restore/restore-request.ts";
import { runRestore } from "../../backup/client/restore/restore-run.ts";
import { freeBytesAt } from "../../backup/client/restore/restore-target.ts";
import { hasSetKeys, readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import { ShardReader, type ReaderKeys } from "../../backup/client/shard-reader.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import type { SnapshotRecord } from "../../../protocol/backup/snapshot.ts";
import { setDetail, setHeads, setStore } from "./backup-link.ts";
import { neverRan } from "./backup-show.ts";
import { help, type CliContext } from "../shell/context.ts";
import { epochText } from "./epoch-numbers.ts";
import { chooseTip, readHeads, tipFreshness, type KnownTip } from "./choose-tip.ts";
import { formatBytes, formatDuration, formatTime } from "../shell/quantities.ts";
import { snapshotAt } from "./snapshot-at.ts";

interface RestoreOptions {
  readonly to: string;
  readonly at?: string;
  readonly head?: string;
  readonly path: readonly string[];
  readonly dryRun?: boolean;
  readonly privileged?: boolean;
  readonly keys?: string;
}

/** Problems that are shown to a person; --json has all. */
const SHOWN_PROBLEMS = 20;

export function restoreCommand(context: CliContext): Command {
  const restore = new Command("restore")
    .argument("<set>", "name of a data set")
    .requiredOption("--to <dir>", "an empty directory, or one that does not exist yet")
    .option("--at <when>", "number of a snapshot, or a day: the newest one before its end")
    .option("--path <path>", "only this and what is below it; may be repeated", collect, [])
    .option("--keys <file>", "of pleach keys open: for a past whose keys this box has erased")
    .option("--dry-run", "say what would come back, and write nothing")
    .option("--head <root>", "the snapshot to start from where there are several newest ones")
    .option("--privileged", "as root: also device nodes and set-id bits")
    .action((name: string, options: RestoreOptions) => restoreSet(context, name, options));
  return help(restore, "Restores a snapshot; whole paths appear below the directory.", [
    ["pleach restore nextcloud --to /srv/restored", "the newest snapshot"],
    ["pleach restore nextcloud --at 412 --to /srv/restored", "an older one"],
    ["pleach restore nextcloud --at 2026-11-20 --to /srv/restored", "as it was that evening"],
    ["pleach restore books --keys job.keys --to /srv/restored", "with keys of pleach keys open"],
    ["pleach restore nextcloud --path /srv/nextcloud/anna --to /srv/restored", "one directory"],
  ]);
}

async function restoreSet(
  context: CliContext,
  name: string,
  options: RestoreOptions,
): Promise<void> {
  const keys = readerKeys(context.config.keys, name, options.keys);
  const { set } = keys;
  const detail = await setDetail(context.client, set);
  if (detail === undefined || detail.head === null) throw neverRan(name);
  const reader = new ShardReader(setStore(context.client, set), keys, detail.folder);
  const said = await setHeads(context.client, set);
  const known = await readHeads(reader, said.heads);
  const tip = chooseTip(known, options.head);
  const chosen = await chooseSnapshot(reader, tip, options.at);
  const newest = tipFreshness(known, tip, said);
  context.out.note(newest.text);
  const restored = await restoreInto(context, {
    reader,
    ...chosen,
    into: resolve(options.to),
    privileged: options.privileged === true,
    only: options.path,
    dryRun: options.dryRun === true,
  });
  context.out.result({ name, set, ...restored.fields, newest: newest.fields }, restored.text);
}

/** Of the key files of this box, and of what a person opened with the phrase for this restore. */
function readerKeys(keysFolder: string, name: string, file: string | undefined): ReaderKeys {
  const job = file === undefined ? undefined : readJobKeys(resolve(file));
  if (job !== undefined && !hasSetKeys(keysFolder, name)) {
    if (job.name !== name) throw otherSet(file, job.name);
    return { ...job, epochs: new Map(job.epochs) };
  }
  const { owner, set, setKey, epochs } = readSetKeys(keysFolder, name);
  if (job !== undefined && job.set !== set) throw otherSet(file, job.name);
  const here = epochs.map(({ epoch, key }): [number, Uint8Array] => [epoch, key]);
  return { owner, set, setKey, epochs: new Map([...(job?.epochs ?? []), ...here]) };
}

function otherSet(file: string | undefined, name: string): BackupError {
  return new BackupError("E-BACKUP-KEYS", `${file} has keys of another data set: ${name}.`, {
    exit: 2,
  });
}

export interface RestoreTask {
  readonly reader: ShardReader;
  readonly root: ShardId;
  readonly record: SnapshotRecord;
  readonly into: string;
  readonly privileged: boolean;
  /** Absolute paths; none: everything. */
  readonly only: readonly string[];
  readonly dryRun: boolean;
}

/** Restores and tells what could not be restored as it was: then the command ends with 3. */
export async function restoreInto(context: CliContext, task: RestoreTask) {
  const { reader, root, record, into, privileged } = task;
  const only = task.only.map((path) => Buffer.from(path));
  const locator = await locate(reader, root, record);
  await requireEpochs(task, locator, only);
  const plan = await planRestore(reader, record, locator, only, task.dryRun);
  context.out.note(planText(task, plan));
  if (task.dryRun) return dryRunResult(task, plan);
  const started = performance.now();
  const onProgress = ({ files, bytes }: RestoreFigures): void =>
    context.out.progress({
      step: "restoring",
      doneFiles: files,
      totalFiles: plan.files,
      doneBytes: bytes,
      totalBytes: plan.bytes,
      bytesPerSecond: bytes / ((performance.now() - started) / 1000),
    });
  const figures = await runRestore({
    reader,
    root,
    record,
    locator,
    only,
    target: into,
    privileged,
    onProgress,
  });
  const seconds = (performance.now() - started) / 1000;
  const { files, bytes, problems } = figures;
  for (const { path, problem } of problems.slice(0, SHOWN_PROBLEMS)) {
    context.out.note(`${path}: ${problem}`);
  }
  if (problems.length > SHOWN_PROBLEMS) {
    context.out.note(`${problems.length - SHOWN_PROBLEMS} more such lines (--json has all)`);
  }
  if (problems.length > 0) context.exit = 3;
  const paths = record.paths.map((bytesOfPath) => {
    const path = Buffer.from(bytesOfPath).toString();
    return { path, at: join(into, path) };
  });
  return {
    fields: {
      ...snapshotFields(task, figures),
      seconds: Math.round(seconds * 1000) / 1000,
      into,
      paths,
      problems,
      peakMiB: Math.ceil(process.resourceUsage().maxRSS / 1024),
    },
    text: [
      `Restored ${files} files, ${formatBytes(bytes)}, in ${formatDuration(seconds * 1000)}:`,
      ...paths.map(({ at }) => `  ${at}`),
    ].join("\n"),
  };
}

/** @throws BackupError E-BACKUP-EPOCH before anything is written. */
async function requireEpochs(
  { reader, record }: RestoreTask,
  locator: ChunkLocator,
  only: readonly Uint8Array[],
): Promise<void> {
  const { epochs, isExact } = await missingEpochs(reader, record, locator, only);
  if (epochs.length === 0) return;
  const { name, number } = record;
  const what = isExact ? "needs" : "was built on";
  throw new BackupError(
    "E-BACKUP-EPOCH",
    `Snapshot ${number} of ${name} ${what} key epochs whose keys are not here: ${epochText(epochs)}.`,
    {
      changed: "Nothing was written.",
      hint: [
        "Open them with the phrase, then restore with them:",
        `  pleach keys open ${name} --at ${number} --out job.keys`,
        `  pleach restore ${name} --at ${number} --keys job.keys --to DIR`,
      ].join("\n"),
      exit: 5,
    },
  );
}

/** What comes back, from where, and how much room and time that takes. */
function planText({ record, into }: RestoreTask, plan: RestorePlan): string {
  const { files, bytes, roomBytes, localShards, remoteShards, seconds } = plan;
  const time = seconds === undefined ? "" : `, about ${formatDuration(Math.ceil(seconds) * 1000)}`;
  return [
    `Restoring snapshot ${record.number} of ${record.name} (${formatTime(record.atMs)}, ` +
      `${files} files, ${formatBytes(bytes)}) to ${into}`,
    `${localShards} shards from this machine, ${remoteShards} from other holders${time}; takes ` +
      `${formatBytes(roomBytes)} of ${formatBytes(freeBytesAt(existingAbove(into)))} free`,
  ].join("\n");
}

/** Which snapshot it is, and how much of it comes back. */
function snapshotFields(
  { record, root }: RestoreTask,
  { files, bytes }: { readonly files: number; readonly bytes: number },
) {
  const { number, chain, atMs, unreadable } = record;
  // What the run could not read is not in the snapshot.
  return { number, chain, root, atMs, files, bytes, missing: unreadable };
}

function dryRunResult(task: RestoreTask, plan: RestorePlan) {
  const { into } = task;
  const { files, bytes, missing, ...more } = plan;
  const freeBytes = freeBytesAt(existingAbove(into));
  return {
    fields: {
      ...snapshotFields(task, { files, bytes }),
      into,
      plan: { ...more, seconds: more.seconds ?? null, freeBytes, notInSnapshot: missing },
    },
    text: "Nothing was written.",
  };
}

/** The directory that there is, of a path that may have to be made. */
function existingAbove(path: string): string {
  return existsSync(path) ? path : existingAbove(dirname(path));
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** The snapshot of a number or a day; the newest without one. */
export async function chooseSnapshot(
  reader: ShardReader,
  { head, record }: KnownTip,
  at: string | undefined,
): Promise<{ readonly root: ShardId; readonly record: SnapshotRecord }> {
  if (at === undefined) return { root: head.root, record };
  const { root } = snapshotAt(record, head, at);
  return { root, record: root === head.root ? record : await reader.snapshot(root) };
}
