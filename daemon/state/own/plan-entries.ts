/**
 * Which entries a write comes to: in which parts, with which versions in each.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { RecordClass } from "../../../protocol/logs/record-class.ts";
import { versionCost } from "../../core/logs/log-document.ts";
import type { Shelf } from "../shelf.ts";
import { chooseParts } from "./choose-parts.ts";
import { ownPart, type Change, type OwnPart } from "./own-part.ts";

/** Records of one update: their payload stays well below 64 KiB. */
const MAX_BATCH_BYTES = 40 * 1024;

/** New versions of one class; each key at most once. */
export interface ClassChanges {
  readonly class: RecordClass;
  readonly records: readonly Change[];
}

export interface PlannedEntry {
  readonly of: OwnPart;
  readonly changes: readonly Change[];
}

/** @throws StateError E-STATE-FULL when no part has room. */
export function planEntries(
  shelf: Shelf,
  siteId: SiteId,
  changes: readonly ClassChanges[],
): PlannedEntry[] {
  return changes.flatMap(({ class: recordClass, records }) => {
    const versionsIn = (part: number) =>
      shelf.versionsOf(ownPart(siteId, recordClass, part).lineage, "counting");
    return [...chooseParts(records, versionsIn)].flatMap(([part, batch]) => {
      const of = ownPart(siteId, recordClass, part);
      return [...slices(batch)].map((slice) => ({ of, changes: slice }));
    });
  });
}

/** Cuts changes into pieces whose updates fit an envelope. */
function* slices(changes: readonly Change[]): Generator<readonly Change[]> {
  let slice: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    const cost = versionCost(change[0], change[1]);
    if (slice.length > 0 && bytes + cost > MAX_BATCH_BYTES) {
      yield slice;
      slice = [];
      bytes = 0;
    }
    slice.push(change);
    bytes += cost;
  }
  if (slice.length > 0) yield slice;
}
