/** `pleach dns changes` and `pleach dns undo`: what was changed here, and taking it back. */
import { Command } from "commander";
import { changeResult, changesShape } from "../../control/shapes-dns.ts";
import { help, type CliContext } from "../shell/context.ts";
import { table } from "../shell/output.ts";

export function changesCommand(context: CliContext): Command {
  const command = new Command("changes").action(async () => {
    const list = await context.client.get("/v1/dns/changes", changesShape);
    context.out.result(list, () =>
      list.changes.length === 0
        ? "Nobody has changed a zone at this site."
        : table([
            ["CHANGE", "WHEN", "WRITTEN", "REMOVED", "ZONES"],
            ...list.changes.map(({ id, atMs, written, removed, zones, undoes }) => [
              id,
              `${new Date(atMs).toISOString().slice(0, 19)}Z`,
              String(written),
              String(removed),
              `${zones.join(" ")}${undoes === null ? "" : ` (takes ${undoes} back)`}`,
            ]),
          ]),
    );
  });
  return help(command, "Lists the changes of zones that were made at this site.", [
    ["pleach dns changes", "the newest first"],
  ]);
}

export function undoCommand(context: CliContext): Command {
  const command = new Command("undo")
    .argument("<change>", "its number, as the change has told it")
    .action(async (change: string) => {
      const done = await context.client.post("/v1/dns/undo", { change }, changeResult);
      const serials = done.zones.map(({ zone, serial }) => ` Zone ${zone} has serial ${serial}.`);
      context.out.result({ ...done, undone: change }, () =>
        done.change === null
          ? `Nothing to do: ${change} is taken back already.`
          : `${done.written} written, ${done.removed} removed.${serials.join("")}\n` +
            `To take that back:  pleach dns undo ${done.change}`,
      );
    });
  return help(command, "Puts back exactly what a change replaced, if nobody changed it since.", [
    ["pleach dns undo 3f9a1c0277", "the change of this number"],
  ]);
}
