/** The zone that an edit of a name is about. */
import { countLabels, lowerCase, parentName, type DnsName } from "../../protocol/dns/dns-name.ts";
import { zoneText, type ZoneRecord } from "../../protocol/dns/zone-record.ts";
import type { ViewPlace } from "../../protocol/dns/zone-view.ts";
import type { View } from "../core/logs/view.ts";
import { isSeenAt } from "../core/zones/seen-at.ts";
import { DnsError } from "./error.ts";
import { placeOptions, placeWords, soasOf } from "./stored-records.ts";

/**
 * The deepest zone at or above the name that all see who see the place. Undefined: there is none at
 * all.
 *
 * @throws DnsError (E-DNS-ZONE) when there are only zones that fewer see.
 */
export function zoneSeenAt(view: View, owner: DnsName, place: ViewPlace): DnsName | undefined {
  let narrower: ZoneRecord | undefined;
  for (let up = 0; up <= countLabels(owner); up++) {
    const apex = lowerCase(parentName(owner, up));
    const soas = soasOf(view, apex);
    if (soas.some(({ record }) => isSeenAt(record, place))) return apex;
    narrower ??= soas[0]?.record;
  }
  if (narrower === undefined) return undefined;
  const zone = zoneText(narrower.zone);
  const message = `The zone ${zone} is there${placeWords(narrower)} only, not${placeWords(place)}.`;
  throw new DnsError("E-DNS-ZONE", message, {
    hint: `Give${placeOptions(narrower)}, or show the zone to more:  pleach dns add-zone ${zone}${placeOptions(place)}`,
  });
}

/** @param zones - Those that there are. */
export function noZone(text: string, zones: readonly string[]): DnsError {
  const known = zones.length === 0 ? "There is no zone yet." : `Zones: ${zones.join(", ")}.`;
  return new DnsError("E-DNS-ZONE", `No zone of this mesh holds "${text}". ${known}`, {
    hint: "A new zone:  pleach dns add-zone NAME",
  });
}
