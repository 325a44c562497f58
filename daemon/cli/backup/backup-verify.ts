/** `pleach backup verify`: whether a copy of a data set is whole, byte by byte. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { BackupError } from "../../backup/client/error.ts";
import { readForgotten } from "../../backup/client/run/forgotten-snapshots.ts";
import { readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import { writeDamaged } from "../../backup/client/seal/tired-shards.ts";
import type { CopyHolder } from "../../backup/client/verify/verify-copy.ts";
import {
  runVerify,
  type VerifyFigures,
  type VerifyReport,
} from "../../backup/client/verify/verify-run.ts";
import { listedOf } from "../../core/backup/snapshot-line.ts";
import { DaemonError } from "../../control/client.ts";
import { copiesShape } from "../../control/shapes-backup.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import type { SetId, ShardId } from "../../../protocol/ids.ts";
import { SHARD_BYTES } from "../../../protocol/backup/shard-id.ts";
import type { SnapshotRecord } from "../../../protocol/backup/snapshot.ts";
import { FETCH_TIMEOUT_MS, headOf, setDetail } from "./backup-link.ts";
import { cacheFolder } from "./backup-paths.ts";
import { help, type CliContext } from "../shell/context.ts";
import { UsageError } from "../shell/exit.ts";
import { formatBytes } from "../shell/quantities.ts";
import { snapshotAt } from "./snapshot-at.ts";

interface VerifyOptions {
  readonly at?: string;
  readonly all?: boolean;
  readonly from?: string;
  readonly remote?: boolean;
  readonly dryRun?: boolean;
}

/** Lines of a list that are shown to a person; --json has all. */
const SHOWN_LINES = 20;
const HERE = "this machine";
/** All of them together, for a set that keeps no copy here. */
const HOLDERS = "the holders";

export function verifyCommand(context: CliContext): Command {
  const verify = new Command("verify")
    .argument("<set>", "name of a data set")
    .option("--at <when>", "number of a snapshot, or a day; default: the newest")
    .option("--all", "all snapshots")
    .option("--from <holder>", "the copy of this site, instead of the one of this machine")
    .option("--remote", "the copy of each holder that is linked, one after another")
    .option("--dry-run", "heal nothing")
    .action((name: string, options: VerifyOptions) => verifySet(context, name, options));
  return help(verify, "Reads a copy, opens all of it, and heals what is damaged.", [
    ["pleach backup verify nextcloud", "all that the newest snapshot needs, on this machine"],
    ["pleach backup verify nextcloud --all", "every snapshot"],
    ["pleach backup verify nextcloud --from brest", "what brest would give for a restore"],
  ]);
}

/** What was found in one copy. */
interface Verdict {
  readonly copy: string;
  readonly report: VerifyReport;
}

async function verifySet(context: CliContext, name: string, options: VerifyOptions): Promise<void> {
  if (options.at !== undefined && options.all === true) {
    throw new UsageError("--at and --all exclude one another.");
  }
  if (options.from !== undefined && options.remote === true) {
    throw new UsageError("--from and --remote exclude one another.");
  }
  const { owner, set, setKey, epochs } = readSetKeys(context.config.keys, name);
  const detail = await setDetail(context.client, set);
  const head = headOf(detail?.head ?? null);
  if (detail === undefined || head === null) {
    throw new BackupError("E-BACKUP-UNKNOWN", `The data set "${name}" never ran.`, {
      hint: `Run it:  pleach backup run ${name}`,
    });
  }
  const forgotten = readForgotten(join(cacheFolder(context.config), set));
  const listed = new Set(detail.groups.flatMap(({ entries }) => entries.map(([id]) => id)));
  const left = listed.difference(forgotten);
  const { local, linked, isComplete } = await holdersOf(context, set);
  const remote = options.remote === true ? linked : oneHolder(linked, options.from);
  const keys = { owner, set, setKey, epochs: new Map(epochs.map((one) => [one.epoch, one.key])) };
  const started = performance.now();
  const look = async (
    copy: string,
    folder: string | undefined,
    holders: readonly CopyHolder[],
  ) => ({
    copy,
    report: await runVerify({
      keys,
      newest: head.root,
      choose: (record) => chosen(record, head, options, left),
      folder,
      holders,
      heal: options.dryRun !== true,
      onProgress: (figures) => context.out.progress(progressOf(copy, figures, started)),
    }),
  });
  const verdicts: Verdict[] = [];
  if (remote !== undefined) {
    for (const holder of remote) verdicts.push(await look(holder.name, undefined, [holder]));
  } else if (local === "keep") {
    verdicts.push(await look(HERE, detail.folder, linked));
  } else {
    verdicts.push(await look(HOLDERS, undefined, linked));
  }
  // Only when all were asked: the copy of a site that is away may be a good one.
  if (remote === undefined && isComplete && options.dryRun !== true) {
    const lost = verdicts.flatMap(({ report }) => lostShards(report));
    const folder = join(cacheFolder(context.config), set);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeDamaged(folder, lost);
  }
  const exits = verdicts.map(({ report }) => exitOf(report));
  context.exit = exits.includes(1) ? 1 : exits.includes(3) ? 3 : 0;
  const seconds = Math.round(performance.now() - started) / 1000;
  context.out.result({ name, set, copies: verdicts.map(fieldsOf), seconds }, () =>
    verdicts.map((verdict) => textOf(name, verdict)).join("\n\n"),
  );
}

/** Roots, newest first. */
function chosen(
  newest: SnapshotRecord,
  head: Head,
  { at, all }: VerifyOptions,
  listed: ReadonlySet<string>,
): readonly ShardId[] {
  if (at !== undefined) return [snapshotAt(newest, head, at).root];
  if (all !== true) return [head.root];
  const past = listedOf(newest.history, listed).toReversed();
  return [head.root, ...past.map(({ root }) => root)];
}

/** Sites that have something of the set and can be asked now. */
async function holdersOf(context: CliContext, set: SetId) {
  const { client } = context;
  const { local, holders } = await client.get(`/v1/backup/sets/${set}/copies`, copiesShape);
  const linked = holders
    .filter((holder) => holder.linked)
    .map(({ site, name }) => ({
      name,
      give: async (shard: ShardId, keep: boolean) => {
        const query = keep ? `from=${site}&keep=1` : `from=${site}`;
        const path = `/v1/backup/sets/${set}/shards/${shard}?${query}`;
        try {
          return await client.getOctets(path, SHARD_BYTES, { timeoutMs: FETCH_TIMEOUT_MS });
        } catch (error) {
          if (error instanceof DaemonError && error.code === "E-NOT-FOUND") return undefined;
          throw error;
        }
      },
    }));
  return { local, linked, isComplete: linked.length === holders.length };
}

function oneHolder(
  linked: readonly CopyHolder[],
  name: string | undefined,
): readonly CopyHolder[] | undefined {
  if (name === undefined) return undefined;
  const found = linked.filter((holder) => holder.name === name);
  if (found.length > 0) return found;
  throw new BackupError("E-BACKUP-STORE", `No linked holder has the name "${name}".`, {
    hint: "See which sites are there with: pleach peers",
  });
}

function lostShards({ problems }: VerifyReport): readonly ShardId[] {
  return problems.flatMap(({ shard, goodAt }) => (goodAt === null ? [shard] : []));
}

/** 0 sound, 3 damaged where another copy is good, 1 damaged where none was found. */
function exitOf(report: VerifyReport): 0 | 1 | 3 {
  const { problems, affected, unreadable } = report;
  if (lostShards(report).length + affected.length + unreadable.length > 0) return 1;
  return problems.length > 0 ? 3 : 0;
}

function fieldsOf({ copy, report }: Verdict) {
  return { copy, sound: exitOf(report) === 0, ...report };
}

function progressOf(copy: string, { bytes, shards, totalShards }: VerifyFigures, since: number) {
  return {
    step: `verifying ${copy}, ${shards} of ${totalShards} shards`,
    doneBytes: bytes,
    bytesPerSecond: bytes / ((performance.now() - since) / 1000),
  };
}

function textOf(name: string, { copy, report }: Verdict): string {
  const { snapshots, shards, bytes, chunks, files, closedShards } = report;
  const { problems, affected, unreadable } = report;
  const read = `${shards} shards (${formatBytes(bytes)}), ${chunks} chunks, ${files} files`;
  const isSound = exitOf(report) === 0;
  const lost = lostShards(report).length;
  const isOwn = copy === HERE || copy === HOLDERS;
  return [
    `${copy}: ${snapshots === 1 ? "one snapshot" : `${snapshots} snapshots`} of ${name}, ${read}.`,
    ...(isSound ? ["All of it is sound."] : []),
    ...(closedShards === 0
      ? []
      : [`Of ${closedShards} shards only the names: the keys of their epochs are not here.`]),
    ...shortened(
      problems.map(({ shard, state, goodAt, isHealed }) => {
        const from = isHealed ? `healed with the copy of ${goodAt}` : `a good copy is at ${goodAt}`;
        return `  ${state}: shard ${shard.slice(0, 16)}, ${goodAt === null ? "no good copy" : from}`;
      }),
    ),
    ...shortened(
      unreadable.map(({ root, reason }) => `  no snapshot ${root.slice(0, 16)}: ${reason}`),
    ),
    ...shortened(
      affected.map(({ path, kind, snapshot }) =>
        kind === "file"
          ? `  may not be whole: ${path} (snapshot ${snapshot})`
          : `  not known what was in: ${path} (snapshot ${snapshot})`,
      ),
    ),
    ...(lost > 0 && isOwn
      ? [
          "What to do: link all holders (pleach peers) and verify again. When none of them has it,",
          `what is still in the files is stored anew by:  pleach backup run ${name}`,
        ]
      : []),
    ...(lost > 0 && !isOwn
      ? [`What to do: audits find it and repair it; see  pleach backup show ${name}`]
      : []),
  ].join("\n");
}

function shortened(lines: readonly string[]): readonly string[] {
  if (lines.length <= SHOWN_LINES) return lines;
  const more = lines.length - SHOWN_LINES;
  return [...lines.slice(0, SHOWN_LINES), `  ${more} more such lines (--json has all)`];
}
