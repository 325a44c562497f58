/** `pleach recover`: everything of an owner back on an empty box, with the recovery sheet alone. */
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { z } from "zod";
import { BackupError } from "../backup/client/error.ts";
import { keysFromShard, ShardReader } from "../backup/client/shard-reader.ts";
import type { ControlClient } from "../control/client.ts";
import {
  recoverStartedShape,
  recoverStatusShape,
  type RecoverRequest,
} from "../control/shapes-backup.ts";
import { parseId, type SetId } from "../../protocol/ids.ts";
import { deriveOwnerKeys, type OwnerKeys } from "../../protocol/owner-keys.ts";
import { parseRecoverySheet } from "../../protocol/recovery-sheet.ts";
import { openSetName } from "../../protocol/set-keys.ts";
import { headOf, recoverySource } from "./backup-link.ts";
import { help, type CliContext } from "./context.ts";
import { UsageError } from "./exit.ts";
import { readPhrase, readSmallFile } from "./people-files.ts";
import { formatDuration } from "./quantities.ts";
import { freshness, restoreInto } from "./restore.ts";

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
type FoundHead = Status["heads"][number];

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
    const sets = await recoverSets(context, { options, owner, session, status });
    const { confirmedBy, witnesses } = fewest(sets);
    context.out.result(
      { sets, confirmedBy, witnesses, asked: status.asked, seconds: seconds() },
      [...sets.map(({ text }) => text), `In all: ${formatDuration(seconds() * 1000)}.`].join("\n"),
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
  const { options, owner, session, status } = work;
  const done = [];
  for (const found of status.sets) {
    const set = parseId<SetId>(found.setId, 16);
    if (set === undefined || found.owner !== owner.ownerId) continue;
    const { head, confirmedBy, witnesses } = chooseHead(
      status.heads.filter((each) => each.set === found.setId),
      options.head,
    );
    const source = recoverySource(context.client, session, set);
    const secret = owner.box.secretKey;
    const bytes = await source.get(head.root);
    const keys = keysFromShard(owner.ownerId, set, head.root, bytes, secret);
    const name = openSetName(keys.setKey, Buffer.from(found.sealedName, "base64"));
    if (options.set !== undefined && options.set !== name) continue;
    const reader = new ShardReader(source, keys);
    const record = await reader.snapshot(head.root);
    const fresh = freshness({ head, confirmedBy, witnesses }, head);
    context.out.note(fresh.text);
    const folder = name !== undefined && LABEL.test(name) ? name : set;
    const restored = await restoreInto(context, {
      reader,
      root: head.root,
      record,
      into: join(resolve(options.to), folder),
      privileged: options.privileged === true,
    });
    const { confirmed } = fresh.fields;
    const { fields, text } = restored;
    done.push({ name: name ?? null, set, confirmedBy, witnesses, confirmed, ...fields, text });
  }
  if (done.length > 0) return done;
  throw new BackupError(
    "E-BACKUP-UNKNOWN",
    options.set === undefined
      ? "The members that answered hold no data set of this owner."
      : `The members that answered hold no data set "${options.set}" of this owner.`,
    { hint: "Try more members (--member), or another way to find holders (--via)." },
  );
}

/** The newest head of the chain; a person has to choose where there are several chains. */
function chooseHead(heads: readonly FoundHead[], wanted: string | undefined) {
  const usable = heads.filter(({ available }) => available);
  const tips =
    wanted === undefined
      ? newestOfChains(usable)
      : usable.filter((each) => each.head.root.startsWith(wanted));
  const [only] = tips;
  const head = headOf(only?.head ?? null);
  if (tips.length === 1 && only !== undefined && head !== null) {
    const { confirmedBy, witnesses } = only;
    return { head, confirmedBy, witnesses };
  }
  const lines = usable.map(
    ({ head: { root, number, atMs }, confirmedBy, witnesses }) =>
      `--head ${root.slice(0, 12)}  snapshot ${number}, ${new Date(atMs).toISOString()}, ` +
      `confirmed by ${confirmedBy} of ${witnesses}`,
  );
  throw new BackupError(
    "E-RESTORE-SNAPSHOT",
    tips.length === 0 ? "No snapshot that was found fits." : "There are several newest snapshots.",
    { hint: ["Choose one with --head:", ...lines].join("\n"), exit: 5 },
  );
}

function newestOfChains(heads: readonly FoundHead[]): readonly FoundHead[] {
  const byChain = new Map<string, FoundHead>();
  for (const each of heads) {
    const known = byChain.get(each.head.chain);
    if (known === undefined || known.head.number < each.head.number) {
      byChain.set(each.head.chain, each);
    }
  }
  return [...byChain.values()];
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
