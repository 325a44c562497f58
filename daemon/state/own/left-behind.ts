/**
 * How a log of this process stands among the others of its part, which other boxes with this key, or
 * this box before it was put back to an older image, have written.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import { isSharedClass } from "../../../protocol/logs/record-class.ts";
import { versionId } from "../../../protocol/logs/record-version.ts";
import { latestFirst } from "../../core/logs/lineage.ts";
import type { HeldLog } from "../held-log.ts";
import type { Shelf } from "../shelf.ts";
import { isNewer } from "./newer.ts";
import type { OpenLog } from "./open-log.ts";
import type { Change } from "./own-part.ts";

/**
 * Whether entries that are added to a log would show. When there are too many logs for that, a new
 * one takes up the others.
 */
export function goesOn(shelf: Shelf, open: OpenLog): boolean {
  const held = heldAsLeft(shelf, open);
  return held !== undefined && shelf.counts(held) && !shelf.isCrowded(held.lineage);
}

/**
 * Whether a box that runs beside this one has taken up the log of this process. The next one stays
 * beside that box's: so all nodes see two, and neither displaces the other.
 */
export function hasDouble(shelf: Shelf, open: OpenLog): boolean {
  const held = heldAsLeft(shelf, open);
  return held !== undefined && !shelf.counts(held) && !shelf.isCrowded(held.lineage);
}

/** Other logs that count and that this one cannot take up, because they started later. */
export function laterThan(shelf: Shelf, { of, log, started }: OpenLog): readonly HeldLog[] {
  return shelf.counting(of.lineage).flatMap(({ held }) => {
    const word = held.heldSnapshots().at(-1)?.word;
    const own = { log, word: { started } };
    return word !== undefined && latestFirst({ log: held.log, word }, own) < 0 ? [held] : [];
  });
}

/**
 * What of a log does not show any more. Of one that others have taken up that is only what this
 * process wrote: what they left out of the rest, they deleted.
 */
export function lostOf(shelf: Shelf, siteId: SiteId, open: OpenLog): readonly Change[] {
  const { class: recordClass, lineage } = open.of;
  const author = isSharedClass(recordClass) ? undefined : siteId;
  const held = shelf.get(open.log);
  const since = held !== undefined && shelf.counts(held) ? 0 : open.started;
  const standing = Map.groupBy(shelf.versionsOf(lineage, "counting"), ({ key }) => key);
  const records = [...open.records()];
  const deleted = records.filter(([, { value }]) => value === undefined).map(([key]) => key);
  const left = shelf.standing(recordClass, new Set(deleted), author, siteId);
  return records.filter(([key, version]) => {
    if (version.lamport <= since) return false;
    const named = { ...version, id: versionId(siteId, recordClass, key, version) };
    const others = (standing.get(key) ?? []).map((each) => each.version);
    if (others.some((other) => other.id === named.id || isNewer(other, named))) return false;
    // Nothing is lost with a deletion when there is nothing left to delete.
    const isDeletion = version.value === undefined;
    return !isDeletion || left.has(key);
  });
}

/** The log as it is on the shelf, when it may go on there and ends where this process left it. */
function heldAsLeft(shelf: Shelf, { log, seq, head }: OpenLog): HeldLog | undefined {
  const held = shelf.get(log);
  if (held === undefined || held.limit !== "open" || held.idAt(seq) !== head) return undefined;
  return held.storedSeq === seq ? held : undefined;
}
