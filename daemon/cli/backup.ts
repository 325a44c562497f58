/** `pleach backup`: data sets, their runs and their copies. */
import { Command } from "commander";
import { BackupError } from "../backup/client/error.ts";
import { hasSetKeys, readSetKeys } from "../backup/client/set-key-file.ts";
import { ShardReader } from "../backup/client/shard-reader.ts";
import { copiesShape, setsShape } from "../control/shapes-backup.ts";
import { runsShape } from "../control/shapes-run.ts";
import { parseId, type SetId } from "../../protocol/ids.ts";
import type { SnapshotRecord } from "../../protocol/snapshot.ts";
import { addCommand } from "./backup-add.ts";
import { headOf, setDetail, setStore } from "./backup-link.ts";
import { forgetCommand } from "./backup-forget.ts";
import { agreeCommand, keptCommand, objectCommand } from "./backup-kept.ts";
import { runCommand } from "./backup-run.ts";
import { applyTimers } from "./backup-timers.ts";
import { help, type CliContext } from "./context.ts";
import { table } from "./output.ts";
import { formatBytes, formatTime } from "./quantities.ts";

export function backupCommand(context: CliContext): Command {
  const backup = help(new Command("backup"), "Data sets, their runs and their copies.", [
    ["pleach backup add nextcloud --path /srv/nextcloud/data", "a new one"],
    ["pleach backup run nextcloud", "back it up now"],
    ["pleach backup list", "all of them, and whether they are safe"],
  ]);
  return backup
    .addCommand(addCommand(context))
    .addCommand(runCommand(context))
    .addCommand(listCommand(context))
    .addCommand(showCommand(context))
    .addCommand(forgetCommand(context))
    .addCommand(keptCommand(context))
    .addCommand(agreeCommand(context))
    .addCommand(objectCommand(context))
    .addCommand(timersCommand(context));
}

function listCommand(context: CliContext): Command {
  const list = new Command("list").action(async () => {
    const { sets } = await context.client.get("/v1/backup/sets", setsShape);
    const { runs } = await context.client.get("/v1/backup/runs", runsShape);
    const nameOf = new Map(Object.entries(runs).map(([name, { setId }]) => [setId, name]));
    // What other sites have stored here is theirs to judge: their receipts are not with us.
    const own = sets.filter(({ mine }) => mine);
    const known = own.map((set) => ({ name: nameOf.get(set.setId) ?? null, ...set }));
    const ran = new Set(known.map(({ name }) => name));
    const never = context.config.backups.map(({ name }) => name).filter((name) => !ran.has(name));
    context.out.result({ sets: known, neverRan: never }, () =>
      known.length + never.length === 0
        ? "No data sets. Make one:  pleach backup add NAME --path DIR"
        : table([
            ["DATA SET", "LAST SNAPSHOT", "SEALED", "COPIES"],
            ...known.map(({ name, setId, head, bytes, copies }) => [
              name ?? setId,
              head === null ? "-" : formatTime(head.atMs),
              formatBytes(bytes),
              copies.safe ? `${copies.min}, safe` : `at risk, ${copies.min} of ${copies.wanted}`,
            ]),
            ...never.map((name) => [name, "never", "-", "-"]),
          ]),
    );
  });
  return help(list, "Lists the data sets.", [["pleach backup list", "those of this site"]]);
}

function showCommand(context: CliContext): Command {
  const show = new Command("show")
    .argument("<set>", "name of a data set")
    .action(async (name: string) => {
      const set = await setNamed(context, name);
      const detail = await setDetail(context.client, set);
      if (detail === undefined) throw neverRan(name);
      const copies = await context.client.get(`/v1/backup/sets/${set}/copies`, copiesShape);
      const record = await recordOf(context, name, set);
      const listed = new Set(detail.groups.flatMap(({ entries }) => entries.map(([id]) => id)));
      const snapshots =
        record === undefined
          ? null
          : snapshotsOf(record, detail.head).filter(({ root }) => listed.has(root));
      const { head, shards, bytes, newestHead } = detail;
      context.out.result({ name, set, head, shards, bytes, newestHead, copies, snapshots }, () =>
        [
          `${name}: ${shards} shards, ${formatBytes(bytes)} sealed`,
          copies.atRisk === null
            ? `safe: each shard on ${copies.minReceipts} other sites`
            : `at risk, ${copies.atRisk}`,
          ...copies.reasons.map((reason) => `  ${reason}`),
          `newest snapshot confirmed by ${newestHead.confirmedBy} of ${newestHead.witnesses} members`,
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
        ].join("\n"),
      );
    });
  return help(show, "Shows the copies and the snapshots of a data set.", [
    ["pleach backup show nextcloud", "what could be restored, and from where"],
  ]);
}

function timersCommand(context: CliContext): Command {
  const timers = new Command("timers").action(async () => {
    const changes = await applyTimers(context.config.backups.map(({ name }) => name));
    context.out.result({ ...changes }, () =>
      changes.installed
        ? `${changes.enabled.length} timers enabled, ${changes.disabled.length} disabled.`
        : "Pleach is not installed as a service here: there are no timers.",
    );
  });
  return help(timers, "Makes the timers of systemd match the configuration.", [
    ["pleach backup timers", "after [[backup]] was edited by hand"],
  ]);
}

/** By the key file, or, for those who may not read it, by the last run. */
async function setNamed(context: CliContext, name: string): Promise<SetId> {
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
): Promise<SnapshotRecord | undefined> {
  const head = headOf((await setDetail(context.client, set))?.head ?? null);
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

function neverRan(name: string): BackupError {
  return new BackupError("E-BACKUP-UNKNOWN", `The data set "${name}" never ran.`, {
    hint: `Run it:  pleach backup run ${name}`,
  });
}
