/**
 * One part of a class that this site writes, and what it sets there.
 */
import type { SiteId } from "../../../protocol/ids.ts";
import type { RecordClass } from "../../../protocol/logs/record-class.ts";
import type { RecordVersion } from "../../../protocol/logs/record-version.ts";
import type { LineageName } from "../held-log.ts";

export interface OwnPart {
  readonly class: RecordClass;
  readonly part: number;
  readonly lineage: LineageName;
}

/** A record of a part, and the version that it gets. */
export type Change = readonly [key: string, version: RecordVersion];

export function ownPart(siteId: SiteId, recordClass: RecordClass, part: number): OwnPart {
  return { class: recordClass, part, lineage: `${recordClass}/${siteId}/${part}` };
}
