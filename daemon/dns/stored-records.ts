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
import { placeText, type ViewPlace } from "../../protocol/dns/zone-view.ts";
import type { View, ViewEntry } from "../core/logs/view.ts";
import { isSeenAt, narrowness } from "../core/zones/seen-at.ts";
import { DnsError } from "./error.ts";

export interface StoredRecord {
  readonly key: string;
  readonly record: ZoneRecord;
}

/** The readable records of one name, whoever sees them. */
export function recordsOf(view: View, zone: DnsName, owner: DnsName): StoredRecord[] {
  const wanted = `${zoneKeyPrefix(zone)}${formatRelative(lowerCase(owner), zone)}/`;
  return view.entries("zone", wanted).flatMap((entry) => {
    const record = readOrSkip(entry);
    return record === undefined ? [] : [{ key: entry.key, record }];
  });
}

/** Those of them that stand at just this place. */
export function standingAt(records: readonly StoredRecord[], place: ViewPlace): StoredRecord[] {
  const text = placeText(place);
  return records.filter(({ record }) => placeText(record) === text);
}

/** The SOA records of a zone, the one that most see first: its serial is that of the zone. */
export function soasOf(view: View, zone: DnsName): StoredRecord[] {
  return view
    .entries("zone", `${zoneKeyPrefix(zone)}@/SOA/`)
    .flatMap((entry) => {
      const record = readOrSkip(entry);
      return record === undefined ? [] : [{ key: entry.key, record }];
    })
    .toSorted((a, b) => narrowness(a.record) - narrowness(b.record));
}

function readOrSkip(entry: ViewEntry): ZoneRecord | undefined {
  try {
    return readZoneRecord(entry.key, entry.value);
  } catch (error) {
    if (error instanceof PleachError) return undefined;
    throw error;
  }
}

/** Whether, with a record of the type at the place, some view would show an alias beside other records. */
export function isBesideAlias(
  type: number,
  place: ViewPlace,
  other: Pick<ZoneRecord, "type" | "view" | "site">,
): boolean {
  if ((other.type === TYPE.CNAME) === (type === TYPE.CNAME)) return false;
  return type === TYPE.CNAME ? isSeenAt(other, place) : isSeenAt(place, other);
}

/**
 * What one person should not write; two at once still can, and zone-name.ts settles it.
 *
 * An alias counts nowhere where other records of its name are seen: so none is written over others
 * that its view shows, too, and none under an alias of a more specific view.
 *
 * @param here - All records of the name.
 * @throws DnsError (E-DNS-CONFLICT).
 */
export function refuseConflict(
  action: "set" | "add",
  owner: DnsName,
  type: number,
  place: ViewPlace,
  here: readonly StoredRecord[],
): void {
  const name = formatDnsName(owner);
  const other = here.find(({ record }) => isBesideAlias(type, place, record));
  if (other !== undefined) {
    const there = formatType(other.record.type);
    const isElsewhere = placeText(other.record) !== placeText(place);
    const where = isElsewhere ? ` in the view ${other.record.view}` : "";
    const why = isElsewhere ? ` where a view shows both` : "";
    const message = `${name} has a ${there} record${where}; a CNAME stands alone${why}.`;
    throw new DnsError("E-DNS-CONFLICT", message, {
      hint: `Remove it first:  pleach dns remove ${name} ${there}${placeOptions(other.record)}`,
    });
  }
  const same = standingAt(here, place);
  if (action === "add" && isSingleType(type) && same.some(({ record }) => record.type === type)) {
    const what = formatType(type);
    throw new DnsError("E-DNS-CONFLICT", `${name} has a ${what} record and can have one only.`, {
      hint: `Replace it:  pleach dns set ${name} ${what} DATA${placeOptions(place)}`,
    });
  }
}

/** As they follow a sentence. */
export function placeWords({ view, site }: ViewPlace): string {
  return site === undefined ? ` in the view ${view}` : ` in the view ${view} of one site`;
}

/** As they follow a command. */
export function placeOptions({ view, site }: ViewPlace): string {
  if (view === "public") return "";
  return site === undefined ? ` --view ${view}` : ` --view ${view} --site ${site}`;
}
