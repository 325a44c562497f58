/** `pleach backup rules`: tells the daemon where the copies of a data set may lie. */
import { Command } from "commander";
import { readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import type { BackupConfig } from "../../config/config.ts";
import { configuredSet } from "./backup-run.ts";
import { help, type CliContext } from "../shell/context.ts";
import { tellRules } from "./tell-rules.ts";

export function rulesCommand(context: CliContext): Command {
  const rules = new Command("rules")
    .argument("<name>", "of a [[backup]] in the configuration")
    .action(async (name: string) => {
      const configured = configuredSet(context, name);
      const { set } = readSetKeys(context.config.keys, name);
      const unknown = await tellRules(context, set, configured);
      context.out.result({ name, set, rules: configured.rules, unknown }, () =>
        [
          rulesText(configured),
          `Copies that lie elsewhere move by themselves:  pleach backup show ${name}`,
        ].join("\n"),
      );
    });
  return help(rules, "Takes the rules of a data set from the configuration, without a run.", [
    ["pleach backup rules nextcloud", "after countries or holders were edited; a run does it, too"],
  ]);
}

function rulesText({ name, rules: { allow, deny, holders, local } }: BackupConfig): string {
  const where = [
    ...(holders === null ? [] : [`only at ${holders.join(", ")}`]),
    ...(allow.length === 0 ? [] : [`only in ${allow.join(", ")}`]),
    ...(deny.length === 0 ? [] : [`not in ${deny.join(", ")}`]),
  ];
  const stays = local === "keep" ? "stays" : "goes when the others have signed for everything";
  return `${name}: copies ${where.length === 0 ? "anywhere" : where.join(", ")}; the one here ${stays}.`;
}
