/** `pleach leave`: this site ends its own membership. */
import { Command } from "commander";
import { leavingShape, leftShape, type LeavingAnswer } from "../../control/shapes-decisions.ts";
import { keptShape } from "../../control/shapes-backup.ts";
import { plural } from "../../core/status/status-finding.ts";
import { neededHere } from "../backup/backup-kept.ts";
import { help, type CliContext } from "../shell/context.ts";
import { labelled } from "./epoch-text.ts";
import { CommandError } from "../shell/exit.ts";
import { formatBytes } from "../shell/quantities.ts";
import { confirmName } from "../shell/terminal.ts";

export function leaveCommand(context: CliContext): Command {
  const leave = new Command("leave")
    .option("--dry-run", "show what would go, and change nothing")
    .option("--alone", "leave also when no other site is linked to hear of it")
    .action((options: LeaveOptions) => leaveMesh(context, options));
  return help(
    leave,
    "Ends the membership of this site for good. What it wrote stays in the mesh; its key never " +
      "comes back. Its data directory stays where it is.",
    [
      ["pleach leave --dry-run", "what does this site hold for others?"],
      ["pleach leave", "asks for the site's name"],
    ],
  );
}

interface LeaveOptions {
  readonly dryRun?: boolean;
  readonly alone?: boolean;
}

async function leaveMesh(context: CliContext, options: LeaveOptions): Promise<void> {
  const { client, out, yes } = context;
  const answer = await client.get("/v1/decisions/leave", leavingShape);
  const neededSets = neededHere((await client.get("/v1/backup/kept", keptShape)).sets).length;
  const words = leavingWords(answer, neededSets);
  if (options.dryRun === true) {
    out.result(
      { state: "dry-run", ...answer, neededSets },
      `${words.join("\n")}\n\nNothing was changed.`,
    );
    return;
  }
  const linked = answer.others.filter((each) => each.linked);
  if (linked.length === 0 && answer.others.length > 0 && options.alone !== true) {
    throw new CommandError("E-DECISION", "No other site is linked, so nobody would hear of it.", {
      hint: "Wait until one is:  pleach peers   or leave all the same:  pleach leave --alone",
    });
  }
  out.note(`${words.join("\n")}\n`);
  await confirmName(answer.site, yes);
  const left = await client.post("/v1/decisions/leave", { site: answer.site }, leftShape);
  out.result(
    { state: "left", site: answer.site, ...left },
    `${answer.site} has left the mesh "${answer.meshName}".\n` +
      "Let the daemon run until the others have heard:  pleach status\n" +
      "To join again later, take a data directory of its own: a key that left never comes back.",
  );
}

/** @param needed - Data sets that nobody else holds in place of this site. */
function heldText(needed: number): string {
  if (needed === 0) return "Others hold all of it in its place";
  return (
    `Copies of ${plural(needed, "data set")} are gone for them; they are made anew elsewhere where there is room. ` +
    'To have others take over first: [give] space = "0 B", until pleach backup kept says that this site may leave'
  );
}

function leavingWords(answer: LeavingAnswer, needed: number): readonly string[] {
  const { site, meshName, heldBytes, heldFor, ownSets, others } = answer;
  const held = heldFor.map(({ owner, sets }) => `${owner} (${sets})`).join(", ");
  const up = others.filter(({ linked }) => linked).map((each) => each.site);
  return [
    `The site ${site} leaves the mesh "${meshName}"`,
    ...labelled(
      "Holds",
      held === ""
        ? "no backups of others"
        : `${formatBytes(heldBytes)} of backups for others, by data sets: ${held}. ${heldText(needed)}`,
    ),
    ...labelled(
      "Its own",
      ownSets === 0
        ? "no data sets"
        : `${ownSets} data sets: nothing new is stored; what others hold can be recovered`,
    ),
    ...labelled("Stays", "records of zones that it wrote, and what it decided"),
    ...labelled("Goes", "its services, addresses and name servers are not served any more"),
    ...labelled(
      "Hear of it",
      others.length === 0 ? "nobody: it is the only site" : up.join(", ") || "nobody now",
    ),
  ];
}
