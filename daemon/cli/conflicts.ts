/** `pleach conflicts`: records that were changed at two places at once, and which version to keep. */
import { Command } from "commander";
import { conflictsShape, keptShape, type ConflictInfo } from "../control/shapes-conflicts.ts";
import { conflictText } from "./conflict-text.ts";
import { help, type CliContext } from "./shell/context.ts";
import { CommandError, UsageError } from "./shell/exit.ts";

/** As many digits as are shown; more may be given. */
const LEAST_DIGITS = 8;

export function conflictsCommand(context: CliContext): Command {
  const conflicts = new Command("conflicts").action(async () => {
    const found = await context.client.get("/v1/conflicts", conflictsShape);
    context.out.result(found, () =>
      found.conflicts.length === 0
        ? "No record was changed at two sites at once."
        : found.conflicts.map((each) => conflictText(each, keepCommandFor(each))).join("\n\n"),
    );
  });
  conflicts.addCommand(keepCommand(context));
  return help(
    conflicts,
    "Lists the records of which several versions stand, because they were changed at two places " +
      "at once. One is shown everywhere; none is lost until somebody keeps one.",
    [
      ["pleach conflicts", "every version with its author and time"],
      ["pleach conflicts keep 3fa9c1d2", "keep this version, in place of all others"],
    ],
  );
}

function keepCommandFor({ mayKeep, class: recordClass, versions }: ConflictInfo): string {
  const [shown] = versions;
  if (mayKeep) return "pleach conflicts keep VERSION";
  return recordClass === "zone" || recordClass === "policy"
    ? "pleach conflicts keep VERSION   on a site with the right to write it"
    : `pleach conflicts keep VERSION   on ${shown?.site ?? "its site"}`;
}

function keepCommand(context: CliContext): Command {
  const keep = new Command("keep")
    .argument("<version...>", `the first ${LEAST_DIGITS} digits or more`)
    .action(async (given: readonly string[]) => {
      const { conflicts } = await context.client.get("/v1/conflicts", conflictsShape);
      const versions = given.map((text) => findVersion(conflicts, text));
      const done = await context.client.post("/v1/conflicts/keep", { versions }, keptShape);
      const keys = done.kept.map(({ class: recordClass, key }) => `${recordClass} ${key}`);
      context.out.result(done, `Settled: ${keys.join(", ")}.`);
    });
  return help(keep, "Keeps one version of a record, in place of all others that stand.", [
    ["pleach conflicts keep 3fa9c1d2", "the digits stand in pleach conflicts"],
  ]);
}

function findVersion(conflicts: readonly ConflictInfo[], text: string): string {
  if (!/^[0-9a-f]{8,64}$/.test(text)) {
    throw new UsageError(`"${text}" is no version.`, "Look:  pleach conflicts");
  }
  const all = conflicts.flatMap(({ versions }) => versions.map(({ id }) => id));
  const [found, another] = all.filter((id) => id.startsWith(text));
  if (found !== undefined && another === undefined) return found;
  const problem = found === undefined ? "No version" : "More than one version";
  throw new CommandError("E-UNKNOWN", `${problem} begins with ${text}.`, {
    hint: "Look:  pleach conflicts",
  });
}
