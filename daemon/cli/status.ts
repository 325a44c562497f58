/** `pleach status`: the verdict, a line for each area, what to do, and what this node could do alone. */
import { Command } from "commander";
import { statusShape, type Status } from "../control/shapes-status.ts";
import { help, type CliContext } from "./shell/context.ts";
import { wrap, type Output, type Tint } from "./shell/output.ts";
import { formatDuration } from "./shell/quantities.ts";
import { epochText } from "./backup/epoch-numbers.ts";
import { sheetsLeft } from "./backup/sheet-files.ts";
import { waitingKeys, type WaitingKeys } from "./backup/waiting-keys.ts";

const TINTS: Readonly<Record<Status["areas"][number]["state"], Tint>> = {
  NONE: "dim",
  OK: "green",
  WARNING: "yellow",
  CRITICAL: "red",
};
const WIDTH = 78;
/** As wide as the longest name of an area, and a space. */
const NAME_WIDTH = 16;
const TEXT_AT = 2 + NAME_WIDTH + 10;

export function statusCommand(context: CliContext): Command {
  const status = new Command("status").action(async () => {
    const told = await context.client.get("/v1/status", statusShape);
    const { config } = context;
    const report = withMore(told, [
      ...waitingKeys(config, Date.now()).map(keysTodo),
      ...(await sheetsLeft(config.keys)).map(sheetTodo),
    ]);
    context.out.result(report, () => statusText(report, context.out));
    if (report.verdict === "CRITICAL") context.exit = 1;
  });
  return help(status, "Says what is well and what needs a person. Ends with 1 when critical.", [
    ["pleach status", "look first here"],
    ["pleach status --json", "for scripts"],
  ]);
}

type Todo = Status["todo"][number];

/** The daemon cannot look at keys, nor where people put their sheets; this command often can. */
function withMore(report: Status, todo: readonly Todo[]): Status {
  if (todo.length === 0) return report;
  const verdict = report.verdict === "OK" ? "WARNING" : report.verdict;
  return { ...report, verdict, todo: [...report.todo, ...todo] };
}

function sheetTodo(file: string): Todo {
  const text = `A recovery sheet lies in ${file}. Print it, keep the paper safe, delete the file.`;
  return { text, command: `rm ${file}` };
}

function keysTodo({ name, epochs }: WaitingKeys): Todo {
  const text =
    `Data set ${name}: the keys of its epochs that are over (${epochText(epochs)}) are still on this box, as fewer ` +
    "sites than wanted have signed for what opens them. Who takes the box reads what they sealed.";
  return { text, command: `pleach backup show ${name}` };
}

/** The report in words, at most 80 columns wide. */
export function statusText(report: Status, out: Pick<Output, "tint">): string {
  const { mesh, site, version, upMs, sites, verdict, areas, todo, alone } = report;
  const head = [mesh ?? "no mesh", site === null ? "no site name" : `site ${site}`];
  head.push(`${version}, up ${formatDuration(upMs)}`);
  if (mesh !== null) head.push(`${sites.up} of ${sites.all} sites up`);
  const needs = todo.length === 1 ? "1 thing needs" : `${todo.length} things need`;
  const word = todo.length === 0 ? "nothing needs a person" : `${needs} a person`;
  const lines = [head.join("    "), "", `${out.tint(TINTS[verdict], verdict)}  ${word}`, ""];
  for (const { name, state, text } of areas) {
    const shown = state === "NONE" ? "-" : state;
    const [first = "", ...rest] = wrap(text, WIDTH - TEXT_AT);
    lines.push(`  ${name.padEnd(NAME_WIDTH)}${out.tint(TINTS[state], shown.padEnd(10))}${first}`);
    for (const line of rest) lines.push(`${" ".repeat(TEXT_AT)}${line}`);
  }
  if (todo.length > 0) lines.push("", "To do");
  todo.forEach(({ text, command }, i) => {
    const number = `${i + 1}.`.padStart(4);
    wrap(text, WIDTH - 5).forEach((line, j) => lines.push(`${j === 0 ? number : "    "} ${line}`));
    lines.push(`     Look:  ${command}`);
  });
  if (alone !== "") {
    const sentence = `If every other site vanished now, ${site ?? "this node"} alone could: ${alone}.`;
    lines.push("", ...wrap(sentence, WIDTH));
  }
  return lines.join("\n");
}
