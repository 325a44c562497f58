/** `pleach recover`: everything of an owner back on an empty box, with the recovery sheet alone. */
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { z } from "zod";
import { BackupError } from "../../backup/client/error.ts";
import { keysFromShard, ShardReader } from "../../backup/client/shard-reader.ts";
import { confirmationsNeeded, freshnessText } from "../../core/backup/freshness.ts";
import type { ControlClient } from "../../control/client.ts";
import {
  recoverStartedShape,
  recoverStatusShape,
  type RecoverRequest,
} from "../../control/shapes-backup.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import { parseId, type SetId } from "../../../protocol/ids.ts";
import { PleachError } from "../../../protocol/error.ts";
import { deriveOwnerKeys, type OwnerKeys } from "../../../protocol/keys/owner-keys.ts";
import { parseRecoverySheet } from "../../../protocol/keys/recovery-sheet.ts";
import { openSetName } from "../../../protocol/backup/set-keys.ts";
import { headOf, recoverySource } from "./backup-link.ts";
import { chooseHead, isWanted, withoutSettled, type FoundHead } from "./choose-head.ts";
import { help, type CliContext } from "../shell/context.ts";
import { UsageError } from "../shell/exit.ts";
import { readPhrase, readSmallFile } from "../members/people-files.ts";
import { formatDuration } from "../shell/quantities.ts";
import { restoreInto } from "./restore.ts";

interface RecoverOptions {
  readonly to: string;
  readonly sheet?: string;
  readonly phraseFile?: string;
  readonly mesh?: string;
  readonly member: readonly string[];
  readonly via: RecoverRequest["via"];
  readonly set?: string;
  readonly head?: string;
  readonly privileged?: boolean;
}

type Status = z.infer<typeof recoverStatusShape>;

const POLL_MS = 250;
/** Members behind slow lines need time; the daemon has its own limit for each of them. */
const ASKING_TIMEOUT_MS = 10 * 60_000;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function recoverCommand(context: CliContext): Command {
  const recover = new Command("recover")
    .requiredOption("--to <dir>", "each data set gets a directory of its name in it")
    .option("--sheet <file>", "the recovery sheet, as it was printed or typed in")
    .option("--phrase-file <file>", "without a sheet: the 24 words (typed if left out)")
    .option("--mesh <id>", "without a sheet: the mesh")
    .option("--member <address>", "a member; may be repeated, adds to the sheet's", collect, [])
    .addOption(
      new Option("--via <way>", "how holders are found")
        .choices(["any", "state", "dht"])
        .default("any"),
    )
    .option("--set <name>", "only this data set")
    .option("--head <root>", "the snapshot to take where there are several newest ones")
    .option("--privileged", "as root: also device nodes and set-id bits")
    .action((options: RecoverOptions) => recoverAll(context, options));
  return help(recover, "Brings an owner's data back. Needs a daemon, a sheet, one member.", [
    ["pleach recover --sheet sheet.txt --to /srv/recovered", "everything"],
    ["pleach recover --sheet sheet.txt --set nextcloud --to /srv/recovered", "one data set"],
  ]);
}

async function recoverAll(context: CliContext, options: RecoverOptions): Promise<void> {
  const started = performance.now();
  const { root, meshId, members } = await readInput(options);
  const owner = deriveOwnerKeys(root);
  root.fill(0);
  const { client } = context;
  const body: RecoverRequest = {
    meshId,
    members: [...members],
    recoverySeed: Buffer.from(owner.recoverySeed).toString("base64"),
    via: options.via,
  };
  const { session } = await client.post("/v1/recover", body, recoverStartedShape);
  try {
    const status = await found(context, session);
    const seconds = (): number => Math.round(performance.now() - started) / 1000;
    for (const problem of status.problems) context.out.note(problem);
    const { done: sets, failed } = await recoverSets(context, { options, owner, session, status });
    const { confirmedBy, witnesses } = fewest(sets);
    for (const { set, name, error } of failed) {
      context.out.warn([`${name ?? set}: ${error.message}`, error.hint ?? ""].join("\n").trim());
    }
    if (failed.length > 0) context.exit = 3;
    const faults = failed.map(({ set, name, error: { code, message } }) => {
      return { set, name, code, message };
    });
    context.out.result(
      { sets, failed: faults, confirmedBy, witnesses, asked: status.asked, seconds: seconds() },
      [
        ...sets.map(({ text }) => text),
        ...(failed.length === 0 ? [] : [`${failed.length} data sets did not come back.`]),
        `In all: ${formatDuration(seconds() * 1000)}.`,
      ].join("\n"),
    );
  } finally {
    await end(client, session);
  }
}

interface Recovering {
  readonly options: RecoverOptions;
  readonly owner: OwnerKeys;
  readonly session: string;
  readonly status: Status;
}

async function recoverSets(context: CliContext, work: Recovering) {
  const { options, owner, status } = work;
  const { head: wanted } = options;
  if (wanted !== undefined && !status.heads.some((each) => isWanted(each, wanted))) {
    throw new BackupError("E-RESTORE-SNAPSHOT", `No snapshot was found that begins "${wanted}".`, {
      hint: "Without --head all that can be chosen are listed, where there is a choice.",
      exit: 5,
    });
  }
  const done: Recovered[] = [];
  const failed: { set: SetId; name: string | null; error: PleachError }[] = [];
  const folders = new Set<string>();
  for (const found of status.sets) {
    const set = parseId<SetId>(found.setId, 16);
    if (set === undefined || found.owner !== owner.ownerId) continue;
    let name: string | undefined;
    try {
      const opened = await openSet(context, work, found, set);
      name = opened.name;
      if (options.set !== undefined && options.set !== name) continue;
      done.push(await recoverSet(context, work, opened, folderFor(folders, set, name)));
    } catch (error) {
      // One set that is damaged keeps none of the others from coming back.
      if (!(error instanceof PleachError)) throw error;
      if (options.set !== undefined && options.set !== name) continue;
      failed.push({ set, name: name ?? null, error });
    }
  }
  const [first] = failed;
  if (done.length === 0 && first !== undefined) throw first.error;
  if (done.length > 0) return { done, failed };
  throw new BackupError(
    "E-BACKUP-UNKNOWN",
    options.set === undefined
      ? "The members that answered hold no data set of this owner."
      : `The members that answered hold no data set "${options.set}" of this owner.`,
    { hint: "Try more members (--member), or another way to find holders (--via)." },
  );
}

/** What tells the keys and the name of a set: any shard does. */
async function openSet(
  context: CliContext,
  { owner, session, status }: Recovering,
  found: Status["sets"][number],
  set: SetId,
) {
  const source = recoverySource(context.client, session, set);
  const heads = status.heads.filter((each) => each.set === found.setId);
  const roots = heads.filter(({ available }) => available).map(({ head }) => headOf(head)?.root);
  let fault: unknown = new BackupError("E-RESTORE-SNAPSHOT", `No snapshot of ${set} was found.`);
  for (const root of roots) {
    if (root === undefined) continue;
    try {
      const bytes = await source.get(root);
      const keys = keysFromShard(owner.ownerId, set, root, bytes, owner.box.secretKey);
      const name = openSetName(keys.setKey, Buffer.from(found.sealedName, "base64"));
      return { set, source, heads, keys, name };
    } catch (error) {
      fault = error;
    }
  }
  throw fault;
}

async function recoverSet(
  context: CliContext,
  { options }: Recovering,
  { set, source, heads, keys, name }: Awaited<ReturnType<typeof openSet>>,
  folder: string,
) {
  const reader = new ShardReader(source, keys);
  const isChosen = heads.some((each) => options.head !== undefined && isWanted(each, options.head));
  const standing = isChosen ? heads : await withoutSettled(reader, heads);
  const { taken, newest } = chooseHead(standing, options.head);
  const head = headOf(taken.head);
  if (head === null) throw new RangeError("a head that was found");
  const record = await reader.snapshot(head.root);
  const fresh = freshness(newest, head);
  context.out.note(fresh.text);
  const { fields, text } = await restoreInto(context, {
    reader,
    root: head.root,
    record,
    into: join(resolve(options.to), folder),
    privileged: options.privileged === true,
    only: [],
    dryRun: false,
  });
  const { confirmed, confirmedBy, witnesses } = fresh.fields;
  return { name: name ?? null, set, confirmedBy, witnesses, confirmed, ...fields, text };
}

type Recovered = Awaited<ReturnType<typeof recoverSet>>;

/** Two sets may have one name: of two sites, or because the keys of one were lost. */
function folderFor(taken: Set<string>, set: SetId, name: string | undefined): string {
  const plain = name !== undefined && LABEL.test(name) ? name : set;
  const folder = taken.has(plain) ? `${plain}-${set}` : plain;
  taken.add(folder);
  return folder;
}

/** What the members say of the newest snapshot that one of them knows. */
function freshness({ head: newest, confirmedBy, witnesses }: FoundHead, head: Head) {
  const isNewest = newest.root === head.root;
  const confirmed = isNewest && confirmedBy >= confirmationsNeeded(witnesses);
  const said = freshnessText(confirmedBy, confirmedBy, witnesses);
  const text = isNewest
    ? `Newest snapshot ${head.number}, ${said}.`
    : `UNCONFIRMED: the newest that can be had is ${head.number}, members know ${newest.number}.`;
  return { text, fields: { number: head.number, confirmed, confirmedBy, witnesses } };
}

function fewest(sets: readonly { readonly confirmedBy: number; readonly witnesses: number }[]) {
  return sets.reduce((a, b) => (b.confirmedBy < a.confirmedBy ? b : a));
}

async function readInput(options: RecoverOptions) {
  if (options.sheet !== undefined) {
    const sheet = parseRecoverySheet(await readSmallFile(options.sheet));
    const members = [...sheet.addresses, ...options.member];
    return { root: sheet.root, meshId: options.mesh ?? sheet.meshId, members };
  }
  if (options.mesh === undefined || options.member.length === 0) {
    throw new UsageError(
      "Without a sheet the mesh and a member have to be named.",
      "pleach recover --mesh ID --member ADDRESS --phrase-file FILE --to DIR",
    );
  }
  const root = await readPhrase(options.phraseFile);
  return { root, meshId: options.mesh, members: options.member };
}

async function found(context: CliContext, session: string): Promise<Status> {
  const path = `/v1/recover/${encodeURIComponent(session)}`;
  const until = performance.now() + ASKING_TIMEOUT_MS;
  for (;;) {
    const status = await context.client.get(path, recoverStatusShape);
    if (status.state === "ready") return status;
    if (status.state === "failed" || performance.now() > until) {
      const why = status.problems.length === 0 ? ["no member answered"] : status.problems;
      throw new BackupError("E-BACKUP-STORE", "Nothing was found that could be recovered.", {
        hint: `${why.join("\n")}\nAre the members up, and is this the sheet of their mesh?`,
      });
    }
    context.out.progress({ step: `asking members, ${status.asked} answered` });
    await sleep(POLL_MS);
  }
}

/** The daemon forgets the session by itself, too. */
async function end(client: ControlClient, session: string): Promise<void> {
  try {
    await client.delete(`/v1/recover/${encodeURIComponent(session)}`, z.object({}));
  } catch {
    // What was recovered is there; a daemon that is gone has nothing left to end.
  }
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
