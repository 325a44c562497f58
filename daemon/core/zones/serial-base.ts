/**
 * What the serial of a zone is counted from, where several SOA records stand.
 *
 * Two sites may write one at once, an import each or an import here and an edit there, and a zone
 * may have one for each view. Whichever is served, the serial is the latest that any of them gives:
 * secondaries have seen what each side served, and no serial may go back when the sides meet.
 */
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import {
  readZoneRecord,
  zoneKeyPrefix,
  type SerialStanding,
  type ZoneRecord,
} from "../../../protocol/dns/zone-record.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import { PleachError } from "../../../protocol/error.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import type { View, ViewEntry } from "../logs/view.ts";
import { isLaterSerial, standingSerial, zoneSerial, type Serials } from "./zone-serial.ts";

export interface SerialBase {
  /** The serial field of a SOA record. */
  readonly serial: number;
  readonly stands?: SerialStanding;
  /** Who wrote it. */
  readonly author: SiteId;
}

export function serialFrom({ serial, stands, author }: SerialBase, serials: Serials): number {
  return stands === undefined
    ? zoneSerial(serial, serials.serialOffset)
    : standingSerial(serial, stands, serials.serialOffset, serials.othersHash(author));
}

/** The base that gives the latest serial (RFC 1982); of several that do, the first. */
export function latestBase(
  [first, ...others]: readonly [SerialBase, ...SerialBase[]],
  serials: Serials,
): SerialBase {
  let [latest, serial] = [first, serialFrom(first, serials)];
  for (const each of others) {
    const own = serialFrom(each, serials);
    if (isLaterSerial(own, serial)) [latest, serial] = [each, own];
  }
  return latest;
}

export function baseOf(soa: Pick<ZoneRecord, "rdata" | "stands">, author: SiteId): SerialBase {
  const serial = Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 20);
  return soa.stands === undefined ? { serial, author } : { serial, stands: soa.stands, author };
}

/** Of the versions that were written at the same time as the one that is shown. */
export function rivalBases({ key, conflicts }: ViewEntry): readonly SerialBase[] {
  return conflicts.flatMap(({ value, author }) => readBase(key, value, author));
}

/** Nothing for what is no SOA record that can be read: it may come from a hostile member. */
function readBase(key: string, value: JsonValue | undefined, author: SiteId): SerialBase[] {
  try {
    const record = value === undefined ? undefined : readZoneRecord(key, value);
    return record?.type === TYPE.SOA ? [baseOf(record, author)] : [];
  } catch (error) {
    if (error instanceof PleachError) return [];
    throw error;
  }
}

/** The record with the serial field and the standing of the base. */
function countedFrom(soa: ZoneRecord, { serial, stands }: SerialBase): ZoneRecord {
  const { stands: _, ...rest } = soa;
  const rdata = Buffer.from(soa.rdata);
  rdata.writeUInt32BE(serial, rdata.length - 20);
  const record = { ...rest, rdata: Uint8Array.from(rdata) };
  return stands === undefined ? record : { ...record, stands };
}

/** The latest of all SOA records of a zone in the state; undefined when there is none. */
export function standingBase(
  view: Pick<View, "entries">,
  zone: DnsName,
  serials: Serials,
): SerialBase | undefined {
  const entries = view.entries("zone", `${zoneKeyPrefix(zone)}@/SOA/`);
  const [first, ...others] = entries.flatMap((entry) => [
    ...readBase(entry.key, entry.value, entry.author),
    ...rivalBases(entry),
  ]);
  return first === undefined ? undefined : latestBase([first, ...others], serials);
}

/** A SOA record as it has to be written into the state, so that the zone's serial goes on. */
export function settledSoa(
  soa: ZoneRecord,
  view: Pick<View, "entries">,
  serials: Serials,
): ZoneRecord {
  const base = standingBase(view, soa.zone, serials);
  return base === undefined ? soa : countedFrom(soa, base);
}
