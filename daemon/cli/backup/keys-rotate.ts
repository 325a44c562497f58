/** `pleach keys rotate`: what comes next is sealed with a new key. */
import { Command } from "commander";
import { BackupError } from "../../backup/client/error.ts";
import { configuredSet } from "./backup-run.ts";
import { help, type CliContext } from "../shell/context.ts";
import { epochText } from "./epoch-numbers.ts";
import { tendSet } from "./set-keys.ts";

export function rotateCommand(context: CliContext): Command {
  const rotate = new Command("rotate")
    .argument("<set>", "of a [[backup]] in the configuration")
    .action((name: string) => rotateSet(context, name));
  return help(rotate, "Begins a new key epoch: what comes next is sealed with a new key.", [
    ["pleach keys rotate nextcloud", "with sealed history the old key then goes"],
  ]);
}

async function rotateSet(context: CliContext, name: string): Promise<void> {
  const configured = configuredSet(context, name);
  const tended = await tendSet(context, configured, true);
  if (tended === "busy") {
    throw new BackupError("E-BACKUP-BUSY", `A run of "${name}" is under way.`, {
      hint: "Wait for it to end.",
    });
  }
  const { current, erased, waiting, needed } = tended;
  const { history } = configured;
  context.out.result({ name, history, current, erased, waiting, needed }, () =>
    [
      `Key epoch ${current} of ${name} begins with the next run.`,
      ...(erased.length === 0 ? [] : [`Erased: the key of ${epochText(erased)}.`]),
      ...waiting.map(({ epoch, signed }) => {
        return `The key of ${epoch} goes when ${needed} sites have signed; now ${signed}.`;
      }),
      ...(history === "box" ? [`With history = "box" the older keys stay here.`] : []),
    ].join("\n"),
  );
}
