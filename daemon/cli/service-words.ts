/** `pleach service mark`, `policy` and `report`: what people and checks say of services. */
import { Command } from "commander";
import {
  markAnswer,
  policyAnswer,
  reportAnswer,
  type MarkRequest,
  type PolicyRequest,
} from "../control/shapes-services.ts";
import type { ServiceInfo } from "../control/shapes-inventory.ts";
import { help, type CliContext } from "./shell/context.ts";
import { UsageError } from "./shell/exit.ts";

interface Reason {
  readonly text?: string;
}

function pathOf(name: string, what: string): string {
  return `/v1/services/${encodeURIComponent(name)}/${what}`;
}

export function markCommand(context: CliContext): Command {
  const mark = new Command("mark")
    .argument("<name>")
    .argument("<state>", "up, down, or auto: as checks say")
    .requiredOption("--site <name>", "at which site")
    .option("--text <words>", "why, for people")
    .action(async (name: string, word: string, options: Reason & { readonly site: string }) => {
      const request = {
        site: options.site,
        state: markWord(word),
        ...(options.text === undefined ? {} : { text: options.text }),
      };
      const done = await context.client.put(pathOf(name, "mark"), request, markAnswer);
      const how = request.state === "auto" ? "as checks say" : "by this mark";
      const same = done.changed ? "" : " Nothing has changed.";
      const text = `${name} at ${done.site} is ${done.state} ${how}.${same}`;
      context.out.result({ ...done, mark: request.state }, text);
    });
  return help(mark, "Says that a service at a site is up or down, whatever checks say.", [
    ["pleach service mark wiki down --site brest --text maintenance", "lead nobody there"],
    ["pleach service mark wiki auto --site brest", "checks decide again"],
  ]);
}

function markWord(word: string): MarkRequest["state"] {
  if (word === "up" || word === "down" || word === "auto") return word;
  throw new UsageError(`"${word}" is not up, down or auto.`);
}

export function policyCommand(context: CliContext): Command {
  const policy = new Command("policy")
    .argument("<name>")
    .argument("<policy>", "all, none or fallback")
    .argument("[fallback]", "the name that stands in")
    .action(async (name: string, word: string, fallback: string | undefined) => {
      const request = policyOf(word, fallback);
      const done = await context.client.put(pathOf(name, "policy"), request, policyAnswer);
      if (done.note !== null) context.out.note(done.note);
      const same = done.changed ? "" : " Nothing has changed.";
      const text = `While ${name} is up nowhere: ${policyWords(request)}.${same}`;
      context.out.result({ ...done, ...request }, text);
    });
  return help(policy, "Says what is answered while a service is up at no site.", [
    ["pleach service policy wiki all", "all its sites, as if up; the default"],
    ["pleach service policy wiki none", "no address"],
    ["pleach service policy wiki fallback sorry.example.org", "another name"],
  ]);
}

function policyOf(word: string, fallback: string | undefined): PolicyRequest {
  if (word === "fallback") {
    if (fallback !== undefined) return { whenDown: "fallback", name: fallback };
    throw new UsageError("A fallback takes a name.", "pleach service policy wiki fallback NAME");
  }
  if (word !== "all" && word !== "none") {
    throw new UsageError(`"${word}" is not all, none or fallback.`);
  }
  if (fallback !== undefined) throw new UsageError(`${word} takes no name.`);
  return { whenDown: word };
}

function policyWords(policy: PolicyRequest): string {
  if (policy.whenDown === "all") return "all its sites are answered";
  if (policy.whenDown === "none") return "no address is answered";
  return `${policy.name} is answered`;
}

export function reportCommand(context: CliContext): Command {
  const report = new Command("report")
    .argument("<name>", "a service of this site")
    .argument("<state>", "up or down")
    .option("--text <words>", "what was found, for people")
    .action(async (name: string, state: string, { text }: Reason) => {
      if (state !== "up" && state !== "down") throw new UsageError(`"${state}" is not up or down.`);
      const request = { state, ...(text === undefined ? {} : { text }) };
      const done = await context.client.post(pathOf(name, "reports"), request, reportAnswer);
      context.out.result({ ...done, reported: state }, reportWords(name, done));
    });
  return help(report, "Hands in the result of a check of a service of this site.", [
    ['pleach service report wiki down --text "no answer on 443"', "from a monitoring script"],
    ["pleach service report wiki up", "two good reports in a row count"],
  ]);
}

function reportWords(
  name: string,
  { state, changed, against, needed, damped }: ReturnType<typeof reportAnswer.parse>,
): string {
  if (damped) return `${name} is down: it fell too often, and has to be steady for a while.`;
  const row = against === 0 ? "" : ` (${against} of ${needed} reports in a row say otherwise)`;
  return `${name} is ${state}${changed ? " now" : ""}${row}.`;
}

/** For a line of a table. */
export function stateWord({ state, mark, verdict }: ServiceInfo): string {
  if (mark !== null) return `${state}, marked`;
  return verdict === null ? "not checked" : state;
}

/** For the details of a service. */
export function stateLines(service: ServiceInfo): readonly (readonly [string, string])[] {
  const { state, mark, verdict, whenDown, fallback } = service;
  const because = (text: string | null): string => (text === null ? "" : `: ${text}`);
  const marked = mark && `${mark.state}, by ${mark.by ?? "nobody known"}${because(mark.text)}`;
  const since = verdict && new Date(verdict.sinceMs).toISOString().slice(0, 16).replace("T", " ");
  const judged = verdict && `${verdict.state} since ${since} UTC${because(verdict.text)}`;
  return [
    ["state", state],
    ...(marked === null ? [] : [["mark", marked] as const]),
    ["checks", judged ?? "none so far"],
    ["when down", fallback === null ? whenDown : `fallback ${fallback}`],
  ];
}
