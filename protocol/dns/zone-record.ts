/**
 * A DNS record as it stands in the replicated class `zone`.
 *
 * Key `ZONE/NAME/TYPE/ID`, value `{ttl, data, view}` and, in the view `lan`, possibly `site`. One
 * replicated record is one DNS record, so additions on two nodes at once both survive. The id is a
 * hash of what the record says and where it is shown, so the same addition on two nodes is one
 * record; types of which a name has at most one in a view (SOA, CNAME, DNAME) have a fixed id, so
 * the newer edit replaces the older one.
 *
 * A zone is there, in the views that show it, as soon as its SOA record is. The SOA's serial field is a base that the computed
 * serial is added to; `.` as its primary stands for the first name server of the zone.
 */
import { z } from "zod";
import {
  formatDnsName,
  formatRelative,
  isWithin,
  lowerCase,
  parseDnsName,
  ROOT_NAME,
  type DnsName,
} from "./dns-name.ts";
import { DnsValueError } from "./dns-error.ts";
import { formatType, isZoneType, parseType, TYPE } from "./dns-type.ts";
import { MAX_TTL_SECONDS } from "./dns-ttl.ts";
import { sha256Hex, type SiteId } from "../ids.ts";
import { hexId } from "../logs/record.ts";
import { formatRdata, parseRdata } from "./rdata.ts";
import { PUBLIC_PLACE, placeText, ZONE_VIEWS, type ViewPlace } from "./zone-view.ts";

/** Longer data are refused, so that a record stays well below the 8 KiB that a value may have. */
const MAX_DATA_CHARACTERS = 6000;

/**
 * When the serial of a SOA record is the one that is served: right after the import that brought
 * it. See daemon/core/zones/zone-serial.ts.
 */
const serialStanding = z.object({
  /** What was counted then, modulo 2^26. */
  count: z
    .int()
    .min(0)
    .max(2 ** 26 - 1),
  /** The hash of what the other sites had written then, 6 bits. */
  others: z.int().min(0).max(63),
});
export type SerialStanding = z.infer<typeof serialStanding>;

const zoneRecordValue = z.object({
  ttl: z.int().min(0).max(MAX_TTL_SECONDS),
  data: z.string().min(1).max(MAX_DATA_CHARACTERS),
  /** More views may come: what is of unknown ones stays in the state, and is not served. */
  view: z.enum(ZONE_VIEWS),
  /** Of the view `lan`: only the node of this site shows it. */
  site: hexId<SiteId>().optional(),
  /** Of a SOA record; without it the serial in its data is a base that is counted from. */
  stands: serialStanding.optional(),
  /** The TSIG key whose update wrote it; without it, a person did. */
  tsig: z.string().min(1).max(1100).optional(),
});

/** A checked record. */
export interface ZoneRecord extends ViewPlace {
  readonly zone: DnsName;
  /** Absolute, lower case. */
  readonly owner: DnsName;
  readonly type: number;
  /** Seconds, 0 to 2^31 - 1. */
  readonly ttl: number;
  /** Uncompressed wire form. */
  readonly rdata: Uint8Array;
  readonly stands?: SerialStanding;
  /** Name of the TSIG key whose update wrote it. */
  readonly tsig?: string;
}

const SINGLE: ReadonlySet<number> = new Set<number>([TYPE.SOA, TYPE.CNAME, TYPE.DNAME]);

/** Whether a name has at most one record of the type in a view (RFC 1034 3.6.2, RFC 1035 5.2, RFC 6672 2.4). */
export function isSingleType(type: number): boolean {
  return SINGLE.has(type);
}

/** The text of a zone in keys and on the command line: lower case, no final dot (the root is `.`). */
export function zoneText(zone: DnsName): string {
  return zone.length === 1 ? "." : formatDnsName(lowerCase(zone)).slice(0, -1);
}

/** The start of the keys of all records of a zone. */
export function zoneKeyPrefix(zone: DnsName): string {
  return `${zoneText(zone)}/`;
}

/** The id of a record of which a name has one at a place. */
function onlyId(place: ViewPlace): string {
  return place.view === "public" ? "only" : `only-${placeText(place)}`;
}

/** The key under which the record is replicated. */
export function zoneRecordKey(record: ZoneRecord): string {
  return zoneKeyPrefix(record.zone) + keyInZone(record);
}

function keyInZone(record: ZoneRecord): string {
  const name = formatRelative(record.owner, record.zone);
  const id = isSingleType(record.type)
    ? onlyId(record)
    : sha256Hex("pleach/zone-record/1\0", `${placeText(record)}\0`, record.rdata).slice(0, 16);
  return `${name}/${formatType(record.type)}/${id}`;
}

export function zoneRecordJson(record: ZoneRecord) {
  const { type, ttl, rdata, view, site, stands, tsig } = record;
  return {
    ...{ ttl, data: formatRdata(type, rdata), view },
    ...(site === undefined ? {} : { site }),
    ...(stands === undefined ? {} : { stands }),
    ...(tsig === undefined ? {} : { tsig }),
  };
}

/**
 * Reads a replicated record again. It may come from a hostile member, so nothing is believed; a
 * key that another spelling of the same record would have is refused, so that none stands twice.
 *
 * @throws DnsValueError for anything that {@link zoneRecordKey} and {@link zoneRecordJson} would
 *   not have made.
 */
export function readZoneRecord(key: string, value: unknown): ZoneRecord {
  const [zoneName = "", name = "", typeName = ""] = key.split("/");
  const parsed = zoneRecordValue.safeParse(value);
  if (!parsed.success) {
    throw new DnsValueError("E-DNS-VALUE", "The record has no ttl, data and view that we know.");
  }
  const { zone, prefix } = recentZone(zoneName);
  const owner = lowerCase(parseDnsName(name, zone));
  const type = parseZoneType(typeName);
  checkPlace(zone, owner, type);
  const { ttl, data, view, site, stands, tsig } = parsed.data;
  if (site !== undefined) checkViewPlace({ view, site });
  const plain = { zone, owner, type, ttl, rdata: parseRdata(type, data), view };
  const isPlain = site === undefined && stands === undefined && tsig === undefined;
  const record: ZoneRecord = isPlain
    ? plain
    : {
        ...plain,
        ...(site === undefined ? {} : { site }),
        ...(stands === undefined || type !== TYPE.SOA ? {} : { stands }),
        ...(tsig === undefined ? {} : { tsig }),
      };
  if (prefix + keyInZone(record) !== key) {
    throw new DnsValueError("E-DNS-VALUE", "The key is not the one of what the record says.");
  }
  return record;
}

/** Records are read zone by zone, so those of a zone share its name. */
let recent = { text: ".", zone: ROOT_NAME, prefix: zoneKeyPrefix(ROOT_NAME) };

function recentZone(text: string): typeof recent {
  if (text !== recent.text) {
    const zone = lowerCase(parseDnsName(text, ROOT_NAME));
    recent = { text, zone, prefix: zoneKeyPrefix(zone) };
  }
  return recent;
}

/**
 * Makes a record of what a person wrote.
 *
 * @param data - As in a zone file. For TXT a text without quotes is taken as it is, blanks and
 *   semicolons included, and cut into strings of 255 bytes.
 * @param place - Who is meant to see it.
 * @throws DnsValueError that says what is wrong with the name, the type, the data or the place.
 */
export function makeZoneRecord(
  zone: DnsName,
  owner: DnsName,
  type: number,
  ttl: number,
  data: string,
  place: ViewPlace = PUBLIC_PLACE,
): ZoneRecord {
  // Before the data: what cannot stand here needs none.
  checkPlace(zone, owner, type);
  const text = type === TYPE.TXT ? quoteText(data) : data;
  return zoneRecordOf(zone, owner, type, ttl, parseRdata(type, text, zone), place);
}

/**
 * The same from data that were read already.
 *
 * @param rdata - Sound data of the type, uncompressed.
 */
export function zoneRecordOf(
  zone: DnsName,
  owner: DnsName,
  type: number,
  ttl: number,
  rdata: Uint8Array,
  place: ViewPlace = PUBLIC_PLACE,
): ZoneRecord {
  checkPlace(zone, owner, type);
  checkViewPlace(place);
  if (!Number.isSafeInteger(ttl) || ttl < 0 || ttl > MAX_TTL_SECONDS) {
    throw new DnsValueError("E-DNS-TTL", `"${ttl}" is not a TTL (0 to ${MAX_TTL_SECONDS} s).`);
  }
  if (formatRdata(type, rdata).length > MAX_DATA_CHARACTERS) {
    const limit = `at most ${MAX_DATA_CHARACTERS} characters are allowed`;
    throw new DnsValueError("E-DNS-VALUE", `The ${formatType(type)} data are too long (${limit}).`);
  }
  const { view, site } = place;
  const record = { zone: lowerCase(zone), owner: lowerCase(owner), type, ttl, rdata, view };
  return site === undefined ? record : { ...record, site };
}

/** @throws DnsValueError for no type at all and for one that no zone may hold. */
export function parseZoneType(text: string): number {
  const type = parseType(text);
  if (isZoneType(type)) return type;
  throw new DnsValueError("E-DNS-TYPE", `${formatType(type)} records cannot stand in a zone.`, {
    hint: "The server makes them, or they exist in questions only.",
  });
}

function checkViewPlace({ view, site }: ViewPlace): void {
  if (site === undefined || view === "lan") return;
  throw new DnsValueError("E-DNS-VALUE", `The view ${view} has no records of one site only.`, {
    hint: "Only the view lan has.",
  });
}

function checkPlace(zone: DnsName, owner: DnsName, type: number): void {
  if (!isWithin(owner, zone)) {
    const message = `${formatDnsName(owner)} is not in the zone ${formatDnsName(zone)}`;
    throw new DnsValueError("E-DNS-NAME", message);
  }
  const atApex = owner.length === zone.length;
  if (type === TYPE.SOA && !atApex) {
    throw new DnsValueError("E-DNS-TYPE", "A SOA record stands at the top of a zone only.");
  }
  if (atApex && (type === TYPE.CNAME || type === TYPE.DS)) {
    const reason = "no place at the top of a zone";
    throw new DnsValueError("E-DNS-TYPE", `A ${formatType(type)} record has ${reason}.`, {
      hint:
        type === TYPE.DS
          ? "DS belongs to the zone above."
          : "Give the addresses themselves, or an HTTPS record in alias form: 0 www.example.net.",
    });
  }
}

const encoder = new TextEncoder();

function quoteText(data: string): string {
  if (data.startsWith('"') || data.startsWith("\\#")) return data;
  const bytes = encoder.encode(data);
  if (bytes.length === 0) return '""';
  const strings: string[] = [];
  for (let at = 0; at < bytes.length; at += 255) {
    const part = Buffer.from(bytes.subarray(at, at + 255)).toString("latin1");
    const escaped = part.replace(
      // Everything but plain printable ASCII.
      /[^ !#-[\]-~]/g,
      (character) => `\\${String(character.charCodeAt(0)).padStart(3, "0")}`,
    );
    strings.push(`"${escaped}"`);
  }
  return strings.join(" ");
}
