/** `pleach revoke`: expels a site or an operator, and cuts what it wrote after a point. */
import { Command } from "commander";
import type { OperatorId, SiteId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import { isChained } from "../../../protocol/statements/statement.ts";
import { endsShape } from "../../control/shapes-decisions.ts";
import { help, type CliContext } from "../shell/context.ts";
import { withSignerOptions, type SignerOptions } from "./decision-signer.ts";
import { suspensionsAround, type EpochChange } from "./epoch-change.ts";
import { UsageError } from "../shell/exit.ts";
import { findMember, type KindOptions, type Member } from "./find-member.ts";
import { askMembers, type MeshKnowledge } from "./mesh-knowledge.ts";
import { parseTime } from "../shell/parse-time.ts";
import { propose } from "./propose.ts";

interface RevokeOptions extends SignerOptions, KindOptions {
  readonly since?: string;
  readonly last?: string;
}

export function revokeCommand(context: CliContext): Command {
  const revoke = new Command("revoke")
    .argument("<name>", "a site or an operator: its name or the first digits of its key")
    .option("--site", "the site of this name, not the operator")
    .option("--operator", "the operator of this name, not the site")
    .option("--since <time>", "a site: cut what it wrote from then on, by its own clock")
    .option("--last <number>", "an operator: number of its last statement that counts")
    .action(async (text: string, options: RevokeOptions) => {
      const mesh = await askMembers(context, options);
      const member = findMember(mesh, text, options);
      const change =
        member.kind === "site"
          ? await siteChange(context, member, options)
          : operatorChange(mesh, member, options);
      const unsuspends = suspensionsAround(mesh, member.key);
      const said = `${member.name} is revoked: its key counts nowhere any more.`;
      await propose(context, mesh, options, { ...change, unsuspends }, said);
    });
  withSignerOptions(revoke, true);
  return help(
    revoke,
    "Proposes to expel a site or an operator for good. What it wrote up to the cut stays; what it " +
      "writes later counts nowhere, whoever passes it on. To hold it up at once, alone: suspend.",
    [
      ["pleach revoke lorient --operator-key FILE", "what this node holds of it now stays"],
      ['pleach revoke lorient --since "2026-11-20 14:00" --dry-run', "what would be cut?"],
      ["pleach revoke Anne --operator --last 12 --operator-key FILE", "a stolen key"],
    ],
  );
}

async function siteChange(
  context: CliContext,
  { key, name }: Member,
  { since, last }: RevokeOptions,
): Promise<EpochChange> {
  if (last !== undefined) {
    throw new UsageError("--last is for operators.", `For the site ${name}: --since TIME.`);
  }
  const sinceMs = since === undefined ? null : parseTime(since, Date.now());
  const request = { site: key, classes: null, sinceMs };
  const { logs } = await context.client.post("/v1/decisions/ends", request, endsShape);
  return { revokes: [{ site: key as SiteId, logs: logs as LogHead[] }] };
}

/** Statements carry no time: where an operator's chain ends is said by number. */
function operatorChange(
  mesh: MeshKnowledge,
  { key, name }: Member,
  { since, last }: RevokeOptions,
): EpochChange {
  if (since !== undefined) {
    throw new UsageError(
      "--since is for sites: statements of operators carry no time.",
      `For the operator ${name}: --last NUMBER, the number of its last statement that counts.`,
    );
  }
  const drop = [key as OperatorId];
  if (last === undefined) return { drop };
  const signed = mesh.statements.flatMap(({ id, body }) =>
    isChained(body) && (body.by as string) === key
      ? { seq: body.seq, head: id, kind: body.kind }
      : [],
  );
  const found = signed.find(({ seq }) => String(seq) === last);
  if (found === undefined) {
    const all = signed.toSorted((a, b) => a.seq - b.seq).map(({ seq, kind }) => `${seq} ${kind}`);
    throw new UsageError(
      `${name} has no statement ${last}.`,
      `It has: ${all.join(", ") || "none"}.`,
    );
  }
  return { drop, lastCounting: { seq: found.seq, head: found.head } };
}
