/** `pleach backup kept`, `agree`: what lies here of other sites' data sets. */
import { Command } from "commander";
import type { z } from "zod";
import { BackupError } from "../../backup/client/error.ts";
import { keptDecidedShape, keptShape } from "../../control/shapes-backup.ts";
import { plural } from "../../core/status/status-finding.ts";
import { help, type CliContext } from "../shell/context.ts";
import { table } from "../shell/output.ts";
import { formatBytes, formatDuration } from "../shell/quantities.ts";

export function keptCommand(context: CliContext): Command {
  const kept = new Command("kept").action(async () => {
    const { lentBytes, sets, owners } = await context.client.get("/v1/backup/kept", keptShape);
    const nameOf = new Map(owners.map(({ owner, name }) => [owner, name]));
    context.out.result({ lentBytes, sets, owners }, () =>
      sets.length + owners.length === 0
        ? "Nothing of other sites is kept here."
        : `${drainText(lentBytes, sets)}${table([
            ["DATA SET", "OWNER", "HELD", "LOCKED", "TRASH", "LOCK", ""],
            ...sets.map((one) => [
              one.set.slice(0, 8),
              nameOf.get(one.owner) ?? one.owner.slice(0, 8),
              formatBytes(one.heldBytes),
              formatBytes(one.lockedBytes),
              formatBytes(one.trashBytes),
              one.lockDays === null ? "-" : `${one.lockDays} d`,
              remarkOf(one),
            ]),
          ])}\n\n${ownersTable(owners)}`,
    );
  });
  return help(kept, "Lists what is kept here of other sites, and what waits for a decision.", [
    ["pleach backup kept", "LOCKED and TRASH: no list names it any more"],
  ]);
}

type KeptHere = z.infer<typeof keptShape>["sets"][number];

/** Sets of which nobody else holds all in place of this site. */
export function neededHere(sets: readonly KeptHere[]): readonly KeptHere[] {
  return sets.filter(({ letGo, groups }) => letGo === null || letGo.groups < groups);
}

/** Where nothing is lent any more: whether this site may leave. */
function drainText(lentBytes: number, sets: readonly KeptHere[]): string {
  if (lentBytes > 0) return "";
  const needed = neededHere(sets);
  return needed.length === 0
    ? "This site lends nothing, and others hold all that is here. It may leave:  pleach leave\n\n"
    : `This site lends nothing, but others still need it for ${plural(needed.length, "data set")}. Wait before it leaves.\n\n`;
}

type OwnerHere = z.infer<typeof keptShape>["owners"][number];

/** What of an owner's waits at its site, and why. */
const WAITING: Record<NonNullable<OwnerHere["waitingFor"]>, string> = {
  space: "waits: no room is left here",
  cap: "waits: its cap is reached",
  owner: "waits: nothing is lent to it",
  intake: "waits: its intake of today is used up",
};

function ownersTable(owners: readonly OwnerHere[]): string {
  return table([
    ["OWNER", "USED", "LENT", "A DAY", "LEFT TODAY", ""],
    ...owners.map((one) => [
      one.name,
      formatBytes(one.usedBytes),
      one.capBytes === null ? "-" : formatBytes(one.capBytes),
      formatBytes(one.dailyBytes),
      one.isFirst ? "no limit yet" : formatBytes(one.todayBytes),
      one.waitingFor === null ? "" : WAITING[one.waitingFor],
    ]),
  ]);
}

export function agreeCommand(context: CliContext): Command {
  const agree = new Command("agree")
    .argument("<set>", "identifier of the data set, or its beginning")
    .option("--always", "do not ask about this set again")
    .action(async (set: string, { always = false }: { readonly always?: boolean }) => {
      const found = await decide(context, set, always ? "agree-always" : "agree");
      context.out.result(
        { set: found, decision: "agree", always },
        "Agreed. What its lists dropped goes when lock and trash are over.",
      );
    });
  return help(agree, "Agrees that a data set kept here has shrunk. Ask its owner first.", [
    ["pleach backup agree 3f2a9c10", "what its lists dropped may go, after lock and trash"],
    ["pleach backup agree 3f2a9c10 --always", "for a set that turns over all the time"],
  ]);
}

/** Decides about one set that is kept here. @returns its whole identifier. */
export async function decide(
  context: CliContext,
  beginning: string,
  decision: string,
): Promise<string> {
  const { sets } = await context.client.get("/v1/backup/kept", keptShape);
  const [found, ...more] = sets.filter(({ set }) => set.startsWith(beginning.toLowerCase()));
  if (found === undefined || more.length > 0) {
    const how = found === undefined ? "No data set" : "More than one data set";
    throw new BackupError("E-BACKUP-UNKNOWN", `${how} kept here begins with "${beginning}".`, {
      hint: "All of them:  pleach backup kept",
      exit: 2,
    });
  }
  const path = `/v1/backup/kept/${found.owner}/${found.set}`;
  await context.client.post(path, { decision }, keptDecidedShape);
  return found.set;
}

function remarkOf({ asked, pending, letGo, groups, trouble }: KeptHere): string {
  const held =
    letGo?.groups === groups
      ? "others hold all"
      : `others hold ${letGo?.groups} of ${groups} groups`;
  const remarks = [
    letGo === null ? "" : `${held}: goes in ${formatDuration(letGo.inMs)}`,
    asked === null
      ? ""
      : `shrank from ${formatBytes(asked.fromBytes)} to ${formatBytes(asked.toBytes)}: agree?`,
    pending === null ? "" : `${pending.days} d wanted, in ${formatDuration(pending.inMs)}`,
    trouble ?? "",
  ];
  return remarks.filter((remark) => remark !== "").join("; ");
}
