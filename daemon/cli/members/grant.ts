/** `pleach grant` and `pleach ungrant`: which sites may write zones and policy. */
import { Command } from "commander";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import { SHARED_CLASSES, type SharedClass } from "../../../protocol/logs/record-class.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import { endsShape } from "../../control/shapes-decisions.ts";
import { help, type CliContext } from "../shell/context.ts";
import { decide } from "./decide.ts";
import { withSignerOptions, type SignerOptions } from "./decision-signer.ts";
import { count, effectWords, labelled } from "./epoch-text.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { findMember } from "./find-member.ts";
import { askMembers } from "./mesh-knowledge.ts";
import { parseTime } from "../shell/parse-time.ts";

interface GrantOptions extends SignerOptions {
  readonly all?: boolean;
}
interface UngrantOptions extends GrantOptions {
  readonly since?: string;
}

export function grantCommand(context: CliContext): Command {
  const grant = new Command("grant")
    .argument("<site>")
    .argument("<class>", SHARED_CLASSES.join(" or "))
    .argument("[part]", "a zone, or what the keys begin with before their first slash")
    .option("--all", "every zone, or every key")
    .action(
      async (text: string, className: string, part: string | undefined, options: GrantOptions) => {
        const right = parseRight(className, part, options.all);
        const mesh = await askMembers(context, options);
        const { key, name } = findMember(mesh, text, { site: true });
        const held = mesh.authority.grants.some(
          (each) =>
            each.site === key && each.class === right.class && each.selector === right.selector,
        );
        if (held)
          throw new CommandError("E-DECISION", `${name} has the right ${rightText(right)}.`);
        const decided = await decide(context, mesh, options, {
          content: { kind: "GRANT", site: key as SiteId, ...right },
          words: [
            `Lets the site ${name} write ${rightText(right)}`,
            ...labelled("From now on", "what it writes there shows and is served on all sites"),
            ...labelled("Undo", `pleach ungrant ${name} ${className} ${part ?? "--all"}`),
          ],
          typed: null,
          facts: { site: name, siteId: key, ...right },
        });
        if (decided === undefined) return;
        const fields = { id: decided.statement.id, state: "granted", site: name, ...right };
        context.out.result(fields, `${name} may write ${rightText(right)}.`);
      },
    );
  withSignerOptions(grant, false);
  return help(grant, "Lets a site write a zone, or a class of records that sites share.", [
    ["pleach grant brest zone bzh.example --operator-key FILE", "this zone"],
    ["pleach grant brest zone --all --operator-key FILE", "every zone"],
  ]);
}

export function ungrantCommand(context: CliContext): Command {
  const ungrant = new Command("ungrant")
    .argument("<site>")
    .argument("<class>", SHARED_CLASSES.join(" or "))
    .argument("[part]", "a zone, as it was granted")
    .option("--all", "the right to every zone, or every key")
    .option("--since <time>", "cut, too, what it wrote there from then on, by its own clock")
    .action((text: string, className: string, part: string | undefined, options: UngrantOptions) =>
      takeBack(context, text, parseRight(className, part, options.all), options),
    );
  withSignerOptions(ungrant, false);
  return help(
    ungrant,
    "Takes a right to write back. What the site wrote under it stays, unless --since cuts it.",
    [
      ["pleach ungrant brest zone bzh.example --operator-key FILE", "no more edits of it"],
      ["pleach ungrant brest zone --all --since 2h --dry-run", "what would be cut?"],
    ],
  );
}

async function takeBack(
  context: CliContext,
  text: string,
  right: Right,
  options: UngrantOptions,
): Promise<void> {
  const mesh = await askMembers(context, options);
  const { key, name } = findMember(mesh, text, { site: true });
  const ofSite = mesh.authority.grants.filter(
    (each) => each.site === key && each.class === right.class,
  );
  const ends = ofSite.filter(({ selector }) => selector === right.selector);
  if (ends.length === 0) {
    const others = ofSite.map(({ selector }) => selector ?? "--all").join(", ");
    throw new CommandError("E-DECISION", `${name} has no right to write ${rightText(right)}.`, {
      hint: others === "" ? `It has no right to any ${right.class}.` : `It has: ${others}.`,
    });
  }
  const sinceMs = options.since === undefined ? null : parseTime(options.since, Date.now());
  const request = { site: key, classes: [right.class], sinceMs };
  const { logs, effect } = await context.client.post("/v1/decisions/ends", request, endsShape);
  const left = ofSite.filter(({ selector }) => selector !== right.selector);
  const wider = right.selector !== null && left.some(({ selector }) => selector === null);
  const words = [
    `Takes from the site ${name} the right to write ${rightText(right)}`,
    ...(options.since === undefined
      ? labelled("Stays", `what it wrote there up to now (${count(effect.kept, "entry")})`)
      : effectWords(effect)),
    ...(wider ? labelled("Beware", `it may still write every ${right.class}: ungrant --all`) : []),
  ];
  const decided = await decide(context, mesh, options, {
    content: {
      kind: "UNGRANT",
      ends: ends.map(({ statement }) => statement),
      heads: logs as LogHead[],
    },
    words,
    typed: null,
    facts: { site: name, siteId: key, ...right, effect },
  });
  if (decided === undefined) return;
  const fields = { id: decided.statement.id, state: "ungranted", site: name, ...right };
  context.out.result(fields, `${name} may not write ${rightText(right)} any more.`);
}

interface Right {
  readonly class: SharedClass;
  /** Null: everything. */
  readonly selector: string | null;
}

function parseRight(className: string, part: string | undefined, all: boolean | undefined): Right {
  const found = SHARED_CLASSES.find((each) => each === className);
  if (found === undefined) {
    throw new UsageError(
      `"${className}" is no class that sites share.`,
      `Known: ${SHARED_CLASSES.join(", ")}.`,
    );
  }
  if ((part === undefined) === (all !== true)) {
    throw new UsageError(`Give a part of ${className} or --all.`);
  }
  if (part === undefined) return { class: found, selector: null };
  return { class: found, selector: found === "zone" ? zoneText(parseDnsName(part)) : part };
}

function rightText({ class: recordClass, selector }: Right): string {
  return selector === null ? `every ${recordClass}` : `${recordClass} ${selector}`;
}
