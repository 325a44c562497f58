/** `pleach backup accounts`: what this site and others keep for one another. */
import { Command } from "commander";
import type { z } from "zod";
import { accountsShape } from "../../control/shapes-backup.ts";
import { help, type CliContext } from "../shell/context.ts";
import { table } from "../shell/output.ts";
import { formatBytes } from "../shell/quantities.ts";

const LEGEND = [
  "GIVEN: placed there. HELD: of that, said to be there in full. PROVEN: of that, in sets in which",
  "nothing is open or lost. DAYS: the same in bytes times days, as audits have seen it.",
].join("\n");

type Account = z.infer<typeof accountsShape>["accounts"][number]["weKeep"];

export function accountsCommand(context: CliContext): Command {
  const accounts = new Command("accounts").action(async () => {
    const { accounts: all } = await context.client.get("/v1/backup/accounts", accountsShape);
    context.out.result({ accounts: all }, () =>
      all.length === 0
        ? "This site keeps nothing for others, and nobody keeps anything for it."
        : `${table([
            ["SITE", "", "GIVEN", "HELD", "PROVEN", "DAYS GIVEN", "DAYS HELD", "DAYS PROVEN"],
            ...all.flatMap(({ name, keepsForUs, weKeep }) => [
              [name, "keeps for us", ...columns(keepsForUs)],
              ["", "we keep", ...columns(weKeep)],
            ]),
          ])}\n\n${LEGEND}`,
    );
  });
  return help(accounts, "Shows what this site and others keep for one another.", [
    ["pleach backup accounts", "both sides show the same"],
  ]);
}

function columns(account: Account): string[] {
  const { givenBytes, heldBytes, provenBytes } = account;
  const { givenByteDays, heldByteDays, provenByteDays } = account;
  return [
    ...[givenBytes, heldBytes, provenBytes].map(formatBytes),
    ...[givenByteDays, heldByteDays, provenByteDays].map((each) => `${formatBytes(each)} d`),
  ];
}
