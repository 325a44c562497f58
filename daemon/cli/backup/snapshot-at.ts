/** Finds a snapshot by its number or a day. */
import { BackupError } from "../../backup/client/error.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import type { SnapshotRecord } from "../../../protocol/backup/snapshot.ts";

/**
 * @param newest - The record of `head`.
 * @param at - A number of the chain of `head`, or a day or moment: the newest before its end.
 * @throws BackupError E-RESTORE-SNAPSHOT when there is none.
 */
export function snapshotAt(
  newest: SnapshotRecord,
  head: Head,
  at: string,
): { readonly root: ShardId } {
  const all = [...newest.history, head];
  const chosen = /^\d{1,15}$/.test(at)
    ? all.findLast(({ number, chain }) => number === Number(at) && chain === head.chain)
    : all.findLast(({ atMs }) => atMs <= endOf(at));
  if (chosen !== undefined) return chosen;
  throw new BackupError("E-RESTORE-SNAPSHOT", `There is no snapshot "${at}".`, {
    hint: `All of them:  pleach backup show ${newest.name}`,
    exit: 2,
  });
}

/** The last millisecond of a day, or a moment, in local time. */
function endOf(text: string): number {
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const at = Date.parse(day ? `${text}T23:59:59.999` : text);
  if (!Number.isNaN(at)) return at;
  throw new BackupError("E-RESTORE-SNAPSHOT", `"${text}" is no number and no day.`, {
    hint: "Give a number such as 412, or a day such as 2026-11-20.",
    exit: 2,
  });
}
