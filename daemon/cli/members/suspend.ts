/** `pleach suspend` and `pleach unsuspend`: one operator holds a key up until people have looked. */
import { Command } from "commander";
import type { SiteId, StatementId } from "../../../protocol/ids.ts";
import {
  MAX_ENDED_SUSPENSIONS,
  MAX_SUSPENDED_LOGS,
} from "../../../protocol/statements/suspend-statement.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import { endsShape } from "../../control/shapes-decisions.ts";
import { help, type CliContext } from "../shell/context.ts";
import { decide } from "./decide.ts";
import { withSignerOptions, type SignerOptions } from "./decision-signer.ts";
import { labelled } from "./epoch-text.ts";
import { suspensionsOf } from "./epoch-change.ts";
import { CommandError } from "../shell/exit.ts";
import { findMember, type KindOptions, type Member } from "./find-member.ts";
import { askMembers, type MeshKnowledge } from "./mesh-knowledge.ts";

type Options = SignerOptions & KindOptions;

export function suspendCommand(context: CliContext): Command {
  const suspend = new Command("suspend")
    .argument("<name>", "a site or an operator: its name or the first digits of its key")
    .option("--site", "the site of this name, not the operator")
    .option("--operator", "the operator of this name, not the site")
    .action((text: string, options: Options) => suspendMember(context, text, options));
  withSignerOptions(suspend, false);
  return help(
    suspend,
    "Holds up what a key makes from now on, until somebody unsuspends it. What was accepted " +
      "stays. One operator can do it alone, and undo it.",
    [
      ["pleach suspend lorient --operator-key FILE", "what lorient writes is not shown"],
      ["pleach suspend Anne --operator --operator-key FILE", "its admissions do not count"],
    ],
  );
}

async function suspendMember(context: CliContext, text: string, options: Options): Promise<void> {
  const mesh = await askMembers(context, options);
  const member = findMember(mesh, text, options);
  const { name, key } = member;
  const { content, words } =
    member.kind === "site"
      ? await siteSuspension(context, member)
      : operatorSuspension(mesh, member);
  const again = suspensionsOf(mesh, key).length > 0;
  const decided = await decide(context, mesh, options, {
    content,
    words: again ? [...words, ...labelled("Note", "it is suspended already")] : words,
    typed: null,
    facts: { member: name, key },
  });
  if (decided === undefined) return;
  context.out.result(
    { id: decided.statement.id, state: "suspended", member: name, key },
    `${name} is suspended. To undo it:  pleach unsuspend ${text} --operator-key FILE`,
  );
}

async function siteSuspension(context: CliContext, { key, name }: Member) {
  const request = { site: key, classes: null, sinceMs: null };
  const { logs } = await context.client.post("/v1/decisions/ends", request, endsShape);
  // Logs that are not named are frozen where they were accepted before the SUSPEND came.
  const named = logs.slice(0, MAX_SUSPENDED_LOGS) as LogHead[];
  const content = { kind: "SUSPEND" as const, key: key as SiteId, logs: named, chain: null };
  const more = logs.length - named.length;
  const words = [
    `Suspends the site ${name}`,
    ...labelled("From now on", "what it writes is kept and passed on, but not shown"),
    ...(more > 0 ? labelled("Note", unnamedWords(logs.length)) : []),
    ...labelled("Stays", "all that it has written; its links, its copies, its membership"),
    ...labelled("Undo", "pleach unsuspend: then all that was held up shows"),
  ];
  return { content, words };
}

function unnamedWords(logs: number): string {
  return (
    `it has ${logs} logs, of which ${MAX_SUSPENDED_LOGS} are named. In the others each site holds up ` +
    "what comes after this reaches it: until then sites can show different things"
  );
}

function operatorSuspension(mesh: MeshKnowledge, { key, name }: Member) {
  const { seq, prev } = mesh.headOf(key as Parameters<MeshKnowledge["headOf"]>[0]);
  const chain = seq === 1 ? null : { seq: seq - 1, head: prev as StatementId };
  const content = { kind: "SUSPEND" as const, key, logs: [], chain };
  const words = [
    `Suspends the operator ${name}`,
    ...labelled("From now on", "sites, owners and rights that it admits do not count"),
    ...labelled("Stays", "all that it has decided; and it can still vote and suspend"),
    ...labelled("Undo", "pleach unsuspend: then what was held up counts"),
  ];
  return { content, words };
}

export function unsuspendCommand(context: CliContext): Command {
  const unsuspend = new Command("unsuspend")
    .argument("<name>", "a site or an operator")
    .option("--site", "the site of this name, not the operator")
    .option("--operator", "the operator of this name, not the site")
    .action(async (text: string, options: Options) => {
      const mesh = await askMembers(context, options);
      const { kind, name, key } = findMember(mesh, text, options);
      const open = suspensionsOf(mesh, key);
      const ends = open.slice(0, MAX_ENDED_SUSPENSIONS);
      const left = open.length - ends.length;
      if (ends.length === 0) {
        throw new CommandError("E-DECISION", `${name} is not suspended.`, {
          hint: "Who is:  pleach operators",
        });
      }
      const shows =
        kind === "site"
          ? "what it wrote meanwhile shows on all sites"
          : "what it admitted meanwhile counts";
      const decided = await decide(context, mesh, options, {
        content: { kind: "UNSUSPEND", ends },
        words: [`Unsuspends the ${kind} ${name}`, ...labelled("From now on", shows)],
        typed: null,
        facts: { member: name, key, ends },
      });
      if (decided === undefined) return;
      const state = left > 0 ? ("suspended" as const) : ("unsuspended" as const);
      const fields = { id: decided.statement.id, state, member: name, key, left };
      context.out.result(
        fields,
        left > 0
          ? `${left} more suspensions of ${name} stand. Call this again.`
          : `${name} is not suspended any more.`,
      );
    });
  withSignerOptions(unsuspend, false);
  return help(unsuspend, "Ends every suspension of a site or an operator.", [
    ["pleach unsuspend lorient --operator-key FILE", "what was held up shows again"],
  ]);
}
