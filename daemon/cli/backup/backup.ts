/** `pleach backup`: data sets, their runs and their copies. */
import { Command } from "commander";
import { setsShape } from "../../control/shapes-backup.ts";
import { runsShape } from "../../control/shapes-run.ts";
import { addCommand } from "./backup-add.ts";
import { accountsCommand } from "./backup-accounts.ts";
import { forgetCommand } from "./backup-forget.ts";
import { agreeCommand, keptCommand } from "./backup-kept.ts";
import { lockCommand } from "./backup-lock.ts";
import { objectCommand } from "./backup-object.ts";
import { rulesCommand } from "./backup-rules.ts";
import { settleCommand } from "./backup-settle.ts";
import { runCommand } from "./backup-run.ts";
import { showCommand } from "./backup-show.ts";
import { applyTimers, timedSets } from "./backup-timers.ts";
import { verifyCommand } from "./backup-verify.ts";
import { help, type CliContext } from "../shell/context.ts";
import { table } from "../shell/output.ts";
import { formatBytes, formatTime } from "../shell/quantities.ts";

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
    .addCommand(rulesCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(accountsCommand(context))
    .addCommand(forgetCommand(context))
    .addCommand(settleCommand(context))
    .addCommand(lockCommand(context))
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
            ...known.map(({ name, setId, head, tips, bytes, copies }) => [
              name ?? setId,
              head === null ? "-" : `${formatTime(head.atMs)}${besideText(tips.length)}`,
              formatBytes(bytes),
              copies.safe ? `${copies.min}, safe` : `at risk, ${copies.min} of ${copies.wanted}`,
            ]),
            ...never.map((name) => [name, "never", "-", "-"]),
          ]),
    );
  });
  return help(list, "Lists the data sets.", [["pleach backup list", "those of this site"]]);
}

function besideText(tips: number): string {
  return tips === 0 ? "" : `, ${tips} more newest`;
}

function timersCommand(context: CliContext): Command {
  const timers = new Command("timers").action(async () => {
    const changes = await applyTimers(timedSets(context.config));
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
