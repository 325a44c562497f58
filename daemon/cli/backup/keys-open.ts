/** `pleach keys open`: turns the phrase into the keys of just the epochs that one restore needs. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import { BackupError } from "../../backup/client/error.ts";
import {
  openCapsules,
  parseCapsules,
  writeJobKeys,
  type JobKeys,
} from "../../backup/client/keys/job-keys.ts";
import { neededEpochs } from "../../backup/client/keys/needed-epochs.ts";
import { keysFromShard } from "../../backup/client/shard-reader.ts";
import { openCapsule } from "../../../protocol/backup/capsule.ts";
import type { OwnerId } from "../../../protocol/ids.ts";
import { deriveOwnerKeys } from "../../../protocol/keys/owner-keys.ts";
import { headOf, setDetail, setStore } from "./backup-link.ts";
import { neverRan, setNamed } from "./backup-show.ts";
import { help, type CliContext } from "../shell/context.ts";
import { epochText } from "./epoch-numbers.ts";
import { UsageError } from "../shell/exit.ts";
import { headerIn, openSnapshot, type SnapshotChoice } from "./open-snapshot.ts";
import { readBounded, readPhrase } from "../members/people-files.ts";

/** A capsule file of 4,096 epochs has 1.2 MB. */
const MAX_CAPSULE_FILE_BYTES = 2 * 1024 * 1024;

interface OpenOptions extends SnapshotChoice {
  readonly out: string;
  readonly path: readonly string[];
  readonly capsules?: string;
  readonly phraseFile?: string;
}

export function openCommand(context: CliContext): Command {
  const open = new Command("open")
    .argument("[set]", "name of a data set; not with --capsules")
    .requiredOption("--out <file>", "where to write the keys; never over a file that is there")
    .option("--at <when>", "number of a snapshot, or a day: the newest one before its end")
    .option("--path <path>", "only what this needs; may be repeated", collect, [])
    .option("--head <root>", "the snapshot to start from where there are several newest ones")
    .option("--capsules <file>", "of pleach keys capsules: then no daemon is needed")
    .option("--phrase-file <file>", "the phrase or a sheet, instead of asking for it")
    .action((name: string | undefined, options: OpenOptions) => openKeys(context, name, options));
  return help(open, "Turns the phrase into the keys of just the epochs that one restore needs.", [
    ["pleach keys open books --at 2026-11-20 --out job.keys", "asks for the 24 words"],
    ["pleach restore books --at 2026-11-20 --keys job.keys --to /srv/restored", "and then"],
    ["pleach keys open --capsules capsules.json --out job.keys", "on a machine without network"],
  ]);
}

async function openKeys(
  context: CliContext,
  name: string | undefined,
  options: OpenOptions,
): Promise<void> {
  const file = resolve(options.out);
  // Before anybody types 24 words.
  if (existsSync(file)) {
    throw new BackupError("E-BACKUP-EXISTS", `There is a file already: ${file}.`, { exit: 2 });
  }
  const job = await jobKeys(context, name, options);
  writeJobKeys(file, job);
  const epochs = [...job.epochs.keys()].toSorted((a, b) => a - b);
  const { set, snapshot } = job;
  context.out.result({ name: job.name, set, file, epochs, snapshot }, () =>
    [
      `Wrote ${file}: keys of key epochs ${epochText(epochs)}, for snapshot ${snapshot.number} of ${job.name}.`,
      `Restore:  pleach restore ${job.name} --at ${snapshot.number} --keys ${file} --to DIR`,
      "Who has that file can read those epochs: erase it when the restore is done.",
    ].join("\n"),
  );
}

async function jobKeys(
  context: CliContext,
  name: string | undefined,
  options: OpenOptions,
): Promise<JobKeys> {
  if (options.capsules !== undefined) {
    if (name !== undefined || options.at !== undefined || options.path.length > 0) {
      throw new UsageError(
        "A capsule file names its data set and its snapshot.",
        "pleach keys open --capsules FILE --out FILE",
      );
    }
    const file = options.capsules;
    const text = await readBounded(file, MAX_CAPSULE_FILE_BYTES);
    const capsules = parseCapsules(file, text);
    return openCapsules(capsules, await boxOf(options, capsules.owner));
  }
  if (name === undefined) {
    throw new UsageError("Of which data set?", "pleach keys open SET --at WHEN --out FILE");
  }
  const set = await setNamed(context, name);
  const detail = await setDetail(context.client, set);
  const head = headOf(detail?.head ?? null);
  if (detail === undefined || head === null) throw neverRan(name);
  const owner = detail.owner as OwnerId;
  const box = await boxOf(options, owner);
  const source = setStore(context.client, set);
  const keys = keysFromShard(owner, set, head.root, await source.get(head.root), box);
  const opened = await openSnapshot(context, name, keys, options);
  const { reader, record, locator, job } = opened;
  const only = options.path.map((path) => Buffer.from(path));
  const needed = await neededEpochs(reader, record, locator, only);
  const epochs = new Map<number, Uint8Array>();
  for (const epoch of [...needed].toSorted((a, b) => a - b)) {
    const there = keys.epochs.get(epoch);
    const key = there ?? openCapsule(box, await headerIn(opened, epoch))?.epochKey;
    if (key === undefined) {
      throw new BackupError("E-BACKUP-KEYS", `The capsule of key epoch ${epoch} does not open.`);
    }
    epochs.set(epoch, key);
  }
  return { ...job, setKey: keys.setKey, epochs };
}

/** The secret half of B. @throws BackupError E-BACKUP-KEYS for the phrase of somebody else. */
async function boxOf({ phraseFile }: OpenOptions, owner: OwnerId): Promise<Uint8Array> {
  const root = await readPhrase(phraseFile);
  const keys = deriveOwnerKeys(root);
  root.fill(0);
  if (keys.ownerId === owner) return keys.box.secretKey;
  throw new BackupError("E-BACKUP-KEYS", "This is the phrase of another owner.", {
    hint: `The data set belongs to ${owner.slice(0, 12)}, the phrase to ${keys.ownerId.slice(0, 12)}.`,
  });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
