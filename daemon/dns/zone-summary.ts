/** What lists of zones say of each. */
import { zoneText } from "../../protocol/dns/zone-record.ts";
import { ZONE_VIEWS, type ZoneView } from "../../protocol/dns/zone-view.ts";
import type { Zone } from "../core/zones/zone.ts";

export interface ZoneSummary {
  readonly name: string;
  readonly serial: number;
  readonly records: number;
  /** Those that have the zone. */
  readonly views: readonly ZoneView[];
  readonly warnings: readonly string[];
}

export function summaryOf({ apex, serial, lineCount, soa, warnings }: Zone): ZoneSummary {
  return {
    name: zoneText(apex),
    serial,
    records: lineCount,
    views: ZONE_VIEWS.filter((view) => soa[view] !== undefined),
    warnings,
  };
}
