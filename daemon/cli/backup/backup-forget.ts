/** `pleach backup forget`: forgets old snapshots of a data set, after showing which. */
import { Command } from "commander";
import { runForget, type ForgetPlan } from "../../backup/client/run/forget-run.ts";
import { BackupError } from "../../backup/client/error.ts";
import { readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import { parseDuration } from "../../config/quantities.ts";
import type { KeepRule } from "../../core/backup/forget.ts";
import { setDetail, setStore } from "./backup-link.ts";
import { cacheFolder } from "./backup-paths.ts";
import { help, type CliContext } from "../shell/context.ts";
import { UsageError } from "../shell/exit.ts";
import { table } from "../shell/output.ts";
import { formatTime } from "../shell/quantities.ts";
import { confirm } from "../shell/terminal.ts";

interface ForgetOptions {
  readonly within?: string;
  readonly daily?: string;
  readonly weekly?: string;
  readonly monthly?: string;
  readonly dryRun?: boolean;
}

export function forgetCommand(context: CliContext): Command {
  const forget = new Command("forget")
    .argument("<name>", "name of a data set")
    .option("--within <time>", "keep all snapshots that are younger")
    .option("--daily <time>", "of those that are younger keep the first and last of each day")
    .option("--weekly <time>", "the same for each seven days")
    .option("--monthly <time>", "the same for each thirty days")
    .option("--dry-run", "only show what would be forgotten")
    .action((name: string, options: ForgetOptions) => forgetIn(context, name, options));
  return help(forget, "Forgets old snapshots. Holders keep what they need for lock and trash.", [
    ["pleach backup forget nextcloud --within 30d --weekly 365d --dry-run", "shows the plan"],
    ["pleach backup forget nextcloud --within 30d --weekly 365d", "and carries it out"],
  ]);
}

async function forgetIn(context: CliContext, name: string, options: ForgetOptions): Promise<void> {
  const rules = rulesOf(options);
  const keys = readSetKeys(context.config.keys, name);
  const detail = await setDetail(context.client, keys.set);
  if (detail === undefined) {
    throw new BackupError("E-BACKUP-UNKNOWN", `The data set "${name}" never ran.`, {
      hint: `Run it:  pleach backup run ${name}`,
    });
  }
  const { plan, done } = await runForget({
    keys,
    rules,
    store: setStore(context.client, keys.set),
    cacheFolder: cacheFolder(context.config),
    nowMs: Date.now(),
    copies: detail.copies.wanted,
    keyEpoch: detail.keyEpoch,
    confirm: async (shown) => {
      if (options.dryRun === true) return false;
      if (shown.forgotten.length > 0) {
        context.out.note(planText(shown));
        await confirm("Forget them?", context.yes);
      }
      return true;
    },
  });
  const { kept, forgotten, remove, tired } = plan;
  const result = { name, set: keys.set, done, kept, forgotten, shards: remove.length };
  context.out.result({ ...result, renewed: tired.length }, () =>
    done
      ? `${forgotten.length} snapshots forgotten, ${kept.length} kept.`
      : `${planText(plan)}\nNothing was changed.`,
  );
}

function rulesOf({ within, daily, weekly, monthly }: ForgetOptions): KeepRule[] {
  const given: readonly (readonly [string | undefined, KeepRule["everyDays"]])[] = [
    [within, 0],
    [daily, 1],
    [weekly, 7],
    [monthly, 30],
  ];
  const rules = given.flatMap(([text, everyDays]): KeepRule[] => {
    if (text === undefined) return [];
    const withinMs = parseDuration(text);
    if (withinMs !== undefined) return [{ withinMs, everyDays }];
    throw new UsageError(`"${text}" is not a time.`, 'Give one such as "30d".');
  });
  if (rules.length > 0) return rules;
  throw new UsageError("Nothing says what to keep.", "Give at least one of: --within, --daily.");
}

function planText({ kept, forgotten, remove, tired }: ForgetPlan): string {
  const rows = (snapshots: ForgetPlan["kept"], what: string): string[][] =>
    snapshots.map(({ number, atMs, files }) => [
      String(number),
      formatTime(atMs),
      String(files),
      what,
    ]);
  return [
    table([["SNAPSHOT", "TIME", "FILES", ""], ...rows(forgotten, "forget"), ...rows(kept, "keep")]),
    `${remove.length} shards leave the lists; of ${tired.length} more the next run stores anew what is used.`,
  ].join("\n");
}
