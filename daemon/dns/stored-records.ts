/** The records of a zone as they stand in the state, and which may stand together. */
import {
  formatDnsName,
  formatRelative,
  lowerCase,
  type DnsName,
} from "../../protocol/dns/dns-name.ts";
import { formatType, TYPE } from "../../protocol/dns/dns-type.ts";
import { PleachError } from "../../protocol/error.ts";
import {
  isSingleType,
  readZoneRecord,
  zoneKeyPrefix,
  type ZoneRecord,
} from "../../protocol/dns/zone-record.ts";
import { PUBLIC_PLACE, placeText, type ViewPlace } from "../../protocol/dns/zone-view.ts";
import type { View, ViewEntry } from "../core/logs/view.ts";
import { DnsError } from "./error.ts";

export interface StoredRecord {
  readonly key: string;
  readonly record: ZoneRecord;
}

/** The readable records of one name that are shown at this place; what lies below it does not count. */
export function recordsOf(
  view: View,
  zone: DnsName,
  owner: DnsName,
  place: ViewPlace = PUBLIC_PLACE,
): StoredRecord[] {
  const wanted = `${zoneKeyPrefix(zone)}${formatRelative(lowerCase(owner), zone)}/`;
  return view.entries("zone", wanted).flatMap((entry) => {
    const record = readOrSkip(entry);
    if (record === undefined || placeText(record) !== placeText(place)) return [];
    return [{ key: entry.key, record }];
  });
}

function readOrSkip(entry: ViewEntry): ZoneRecord | undefined {
  try {
    return readZoneRecord(entry.key, entry.value);
  } catch (error) {
    if (error instanceof PleachError) return undefined;
    throw error;
  }
}

/**
 * What one person should not write; two at once still can, and zone-build.ts settles it.
 *
 * @throws DnsError (E-DNS-CONFLICT).
 */
export function refuseConflict(
  action: "set" | "add",
  owner: DnsName,
  type: number,
  here: readonly StoredRecord[],
): void {
  const name = formatDnsName(owner);
  const other = here.find(({ record }) => (record.type === TYPE.CNAME) !== (type === TYPE.CNAME));
  if (other !== undefined) {
    const there = formatType(other.record.type);
    throw new DnsError("E-DNS-CONFLICT", `${name} has a ${there} record; a CNAME stands alone.`, {
      hint: `Remove it first:  pleach dns remove ${name} ${there}`,
    });
  }
  if (action === "add" && isSingleType(type) && here.some(({ record }) => record.type === type)) {
    const what = formatType(type);
    throw new DnsError("E-DNS-CONFLICT", `${name} has a ${what} record and can have one only.`, {
      hint: `Replace it:  pleach dns set ${name} ${what} DATA`,
    });
  }
}
