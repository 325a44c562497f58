/** `pleach backup show`: what is safe, what is at risk and why, and what could be restored. */
import { Command } from "commander";
import type { z } from "zod";
import { BackupError } from "../../backup/client/error.ts";
import { hasSetKeys, readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import { ShardReader } from "../../backup/client/shard-reader.ts";
import { listedOf } from "../../core/backup/snapshot-line.ts";
import { copiesShape } from "../../control/shapes-backup.ts";
import { runsShape } from "../../control/shapes-run.ts";
import { parseId, type SetId } from "../../../protocol/ids.ts";
import type { SnapshotRecord } from "../../../protocol/backup/snapshot.ts";
import { headOf, setDetail, setStore, type SetDetail } from "./backup-link.ts";
import { help, type CliContext } from "../shell/context.ts";
import { epochText } from "./epoch-numbers.ts";
import { plural } from "../../core/status/status-finding.ts";
import { table } from "../shell/output.ts";
import { formatBytes, formatTime } from "../shell/quantities.ts";

const SHOWN_DOUBTS = 20;

type Copies = z.infer<typeof copiesShape>;

export function showCommand(context: CliContext): Command {
  const show = new Command("show")
    .argument("<set>", "name of a data set")
    .action(async (name: string) => {
      const set = await setNamed(context, name);
      const detail = await setDetail(context.client, set);
      if (detail === undefined) throw neverRan(name);
      const copies = await context.client.get(`/v1/backup/sets/${set}/copies`, copiesShape);
      const record = await recordOf(context, name, set, detail.head);
      const listed = new Set(detail.groups.flatMap(({ entries }) => entries.map(([id]) => id)));
      const snapshots =
        record === undefined ? null : listedOf(snapshotsOf(record, detail.head), listed);
      const { head, tips, shards, bytes, newestHead, setBackTo } = detail;
      const keys = keyFacts(context, name);
      const doubts = record?.doubts ?? null;
      const newest = { head, tips, setBackTo, newestHead };
      const said = { ...newest, shards, bytes, copies, keys, snapshots, doubts };
      context.out.result({ name, set, ...said }, () =>
        [
          `${name}: ${plural(shards, "shard")}, ${formatBytes(bytes)} sealed`,
          ...tipsText(name, detail),
          ...copiesText(copies),
          `newest snapshot confirmed by ${newestHead.confirmedBy} of ${newestHead.witnesses} members`,
          ...(keys === null ? [] : [keyText(keys)]),
          "",
          snapshots === null
            ? "The snapshots can be listed by root only: their record is sealed."
            : table([
                ["SNAPSHOT", "TIME", "FILES", "SIZE"],
                ...snapshots.map(({ number, atMs, files, bytes: size }) => [
                  String(number),
                  formatTime(atMs),
                  String(files),
                  formatBytes(size),
                ]),
              ]),
          ...(record === undefined ? [] : doubtsText(record)),
        ].join("\n"),
      );
    });
  return help(show, "Shows the copies and the snapshots of a data set.", [
    ["pleach backup show nextcloud", "what is safe, what is at risk and why"],
  ]);
}

/** Where several newest snapshots stand, or soon will. */
function tipsText(name: string, { head, tips, setBackTo }: SetDetail): string[] {
  if (setBackTo !== null) {
    return [
      "This site's directory was set back to an older copy. The next run begins a new chain;",
      "then a person says which of the two newest snapshots counts.",
    ];
  }
  if (head === null || tips.length === 0) return [];
  return [
    `${tips.length + 1} newest snapshots stand beside one another; nothing of them is forgotten:`,
    ...[head, ...tips].map(
      ({ root, number, atMs }) =>
        `  --head ${root.slice(0, 12)}  snapshot ${number}, ${formatTime(atMs)}`,
    ),
    `Say which one counts:  pleach backup settle ${name} --head ROOT`,
    "",
  ];
}

/** What this box can still read of a set; null for those who may not read the keys. */
function keyFacts({ config }: CliContext, name: string) {
  if (!mayRead(config.keys, name)) return null;
  const configured = config.backups.find((set) => set.name === name);
  const { epochs, erased } = readSetKeys(config.keys, name);
  const current = epochs.at(-1);
  return {
    history: configured?.history ?? null,
    /** Milliseconds, or "run". */
    epoch: configured?.epoch ?? null,
    current: current?.epoch ?? null,
    sinceMs: current?.sinceMs ?? null,
    here: epochs.map(({ epoch }) => epoch),
    erased: erased.map(({ epoch }) => epoch),
  };
}

function keyText({
  history,
  current,
  sinceMs,
  here,
  erased,
}: NonNullable<ReturnType<typeof keyFacts>>): string {
  const past = here.slice(0, -1);
  const waits = history === "sealed" && past.length > 0 ? ", until enough sites have signed" : "";
  return [
    `history ${history ?? "not configured"}: key epoch ${current ?? "none"}`,
    ...(sinceMs === null ? [] : [`since ${formatTime(sinceMs)}`]),
    ...(past.length === 0 ? [] : [`; keys of ${epochText(past)} are here${waits}`]),
    ...(erased.length === 0 ? [] : [`; keys of ${epochText(erased)} are erased`]),
  ]
    .join(" ")
    .replaceAll(" ;", ";");
}

function copiesText({
  atRisk,
  wanted,
  safeCopies,
  reasons,
  concerns,
  local,
  holders,
}: Copies): string[] {
  return [
    atRisk === null
      ? `safe: everything on ${plural(safeCopies, "other site")}`
      : `at risk: ${safeCopies} of ${wanted} copies at other sites count as safe`,
    local === "keep"
      ? "the copy here stays"
      : "the copy here goes once the others have signed for everything",
    ...reasons.map((reason) => `  ${reason}`),
    ...concerns.map((concern) => `  note: ${concern}`),
    ...(holders.length === 0
      ? []
      : [
          "",
          table([
            ["HOLDER", "NOW", "COPY", "LOCK", "LAST WORD", "AUDIT"],
            ...holders.map((one) => [
              one.name,
              one.linked ? "up" : "away",
              one.lacking === 0 ? "whole" : `${one.lacking} pieces lacking`,
              one.lockDays === null ? "-" : `${one.lockDays} d`,
              one.vouchedAtMs === null ? "-" : formatTime(one.vouchedAtMs),
              one.outcome ?? "not yet",
            ]),
          ]),
        ]),
    "",
  ];
}

/** What the newest snapshot lacks, or has only as it was at several moments. */
function doubtsText({ number, unreadable, changed, doubts }: SnapshotRecord): string[] {
  if (unreadable + changed === 0) return [];
  return [
    "",
    `Snapshot ${number}: ${unreadable} could not be read and are missing, ${changed} changed while read.`,
    ...doubts.slice(0, SHOWN_DOUBTS).map(({ path, reason }) => `  ${path} (${reason})`),
    ...(unreadable + changed > SHOWN_DOUBTS ? ["  ... (--json has more)"] : []),
  ];
}

/** By the key file, or, for those who may not read it, by the last run. */
export async function setNamed(context: CliContext, name: string): Promise<SetId> {
  const folder = context.config.keys;
  if (mayRead(folder, name)) return readSetKeys(folder, name).set;
  const { runs } = await context.client.get("/v1/backup/runs", runsShape);
  const set = parseId<SetId>(runs[name]?.setId, 16);
  if (set !== undefined) return set;
  throw new BackupError("E-BACKUP-UNKNOWN", `There is no data set "${name}".`, {
    hint: "All of them:  pleach backup list",
    exit: 2,
  });
}

function mayRead(folder: string, name: string): boolean {
  try {
    return hasSetKeys(folder, name);
  } catch (error) {
    if (error instanceof BackupError && error.code === "E-BACKUP-KEYS") return false;
    throw error;
  }
}

async function recordOf(
  context: CliContext,
  name: string,
  set: SetId,
  newest: Parameters<typeof headOf>[0],
): Promise<SnapshotRecord | undefined> {
  const head = headOf(newest);
  if (head === null || !mayRead(context.config.keys, name)) return undefined;
  const { owner, setKey, epochs } = readSetKeys(context.config.keys, name);
  const byNumber = new Map(epochs.map(({ epoch, key }) => [epoch, key]));
  const keys = { owner, set, setKey, epochs: byNumber };
  return new ShardReader(setStore(context.client, set), keys).snapshot(head.root);
}

function snapshotsOf(record: SnapshotRecord, head: { readonly root: string } | null) {
  const { chain, number, atMs, files, bytes } = record;
  const newest = { chain, number, root: head?.root ?? "", atMs, files, bytes };
  return [...record.history, newest].toReversed();
}

export function neverRan(name: string): BackupError {
  return new BackupError("E-BACKUP-UNKNOWN", `The data set "${name}" never ran.`, {
    hint: `Run it:  pleach backup run ${name}`,
  });
}
