/** `pleach backup settle`: says which of several newest snapshots of a data set counts. */
import { Command } from "commander";
import { BackupError } from "../../backup/client/error.ts";
import { readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import { runSettle } from "../../backup/client/run/settle-run.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import { setDetail, setStore } from "./backup-link.ts";
import { cacheFolder } from "./backup-paths.ts";
import { help, type CliContext } from "../shell/context.ts";
import { formatTime } from "../shell/quantities.ts";
import { confirm } from "../shell/terminal.ts";

export function settleCommand(context: CliContext): Command {
  const settle = new Command("settle")
    .argument("<name>", "name of a data set")
    .requiredOption("--head <root>", "the newest snapshot that counts; the beginning is enough")
    .action((name: string, { head }: { readonly head: string }) => settleSet(context, name, head));
  return help(
    settle,
    "Says which of several newest snapshots counts; the others become old ones.",
    [
      ["pleach backup show nextcloud", "lists them, after the box was restored from an old image"],
      ["pleach backup settle nextcloud --head 3f2a9c10", "goes on from that one"],
    ],
  );
}

async function settleSet(context: CliContext, name: string, wanted: string): Promise<void> {
  const keys = readSetKeys(context.config.keys, name);
  const detail = await setDetail(context.client, keys.set);
  if (detail === undefined) {
    throw new BackupError("E-BACKUP-UNKNOWN", `The data set "${name}" never ran.`, {
      hint: `Run it:  pleach backup run ${name}`,
    });
  }
  const { head, chosen, others, unread } = await runSettle({
    keys,
    store: setStore(context.client, keys.set),
    cacheFolder: cacheFolder(context.config),
    copies: detail.copies.wanted,
    choose: async (tips) => {
      const tip = pick(tips, wanted);
      const old = tips.filter((one) => one !== tip).map(describe);
      context.out.note(`${describe(tip)} counts; an old one from now on: ${old.join("; ")}.`);
      await confirm("Settle it so?", context.yes);
      return tip;
    },
  });
  if (unread.length > 0) {
    context.out.warn(`Nobody gave ${unread.map(describe).join("; ")}: what it needs stays listed.`);
  }
  context.out.result(
    { name, set: keys.set, head, chosen, others, unread },
    [
      `Snapshot ${head.number} is the newest of ${name}; it has what ${describe(chosen)} has.`,
      "The others are in its history, and are forgotten by the rules that hold for all.",
    ].join("\n"),
  );
}

function pick(tips: readonly Head[], wanted: string): Head {
  const [tip, ...more] = tips.filter(({ root }) => root.startsWith(wanted.toLowerCase()));
  if (tip !== undefined && more.length === 0) return tip;
  const how = tip === undefined ? "No newest snapshot" : "More than one newest snapshot";
  throw new BackupError("E-RESTORE-SNAPSHOT", `${how} begins with "${wanted}".`, {
    hint: tips.map((one) => `--head ${one.root.slice(0, 12)}  ${describe(one)}`).join("\n"),
    exit: 5,
  });
}

function describe({ number, root, atMs }: Head): string {
  return `snapshot ${number} (${root.slice(0, 8)}, ${formatTime(atMs)})`;
}
