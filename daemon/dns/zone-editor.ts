/**
 * Edits of zones: what a person asks for, checked, and turned into replicated records.
 *
 * A request is checked as a whole before anything is written, and written at once or not at all.
 */
import { formatDnsName, parseDnsName, type DnsName } from "../../protocol/dns/dns-name.ts";
import { formatType, TYPE } from "../../protocol/dns/dns-type.ts";
import {
  isSingleType,
  makeZoneRecord,
  parseZoneType,
  zoneKeyPrefix,
  zoneRecordJson,
  zoneRecordKey,
  zoneText,
  type ZoneRecord,
} from "../../protocol/dns/zone-record.ts";
import { PUBLIC_PLACE, type ViewPlace } from "../../protocol/dns/zone-view.ts";
import type { View, ViewEntry } from "../core/logs/view.ts";
import type { ZoneWriter } from "./change-journal.ts";
import { noZone, zoneSeenAt } from "./edited-zone.ts";
import { DnsError } from "./error.ts";
import { refuseUnfitZone } from "./fit-zone.ts";
import {
  placeOptions,
  placeWords,
  recordsOf,
  refuseConflict,
  soasOf,
  standingAt,
  type StoredRecord,
} from "./stored-records.ts";
import { isSeenAt, narrowness } from "../core/zones/seen-at.ts";
import type { Zone } from "../core/zones/zone.ts";

export interface EditorOptions {
  readonly view: () => View;
  /** The journal of changes, which gives the id of each, or the state itself. */
  readonly writer: ZoneWriter;
  /** The zones as served. */
  readonly served: () => readonly Zone[];
  /** Serves what was written. */
  readonly reload: () => Promise<void> | void;
}

export interface RecordEdit {
  readonly action: "set" | "add" | "remove";
  /** Absolute, with or without its final dot. */
  readonly name: string;
  /** May be left out for `remove`: all types. */
  readonly type?: string | undefined;
  /** May be empty for `remove`: all records of the type. */
  readonly data: readonly string[];
  /** Seconds; without it, that of the records that are there, or 300. */
  readonly ttl?: number | undefined;
  /** Whose records are edited. Default: the public's. */
  readonly place?: ViewPlace | undefined;
}

export interface EditResult {
  readonly zone: string;
  readonly serial: number;
  readonly written: number;
  readonly removed: number;
  /** Null: nothing was changed, or nobody notes changes. */
  readonly change: string | null;
}

const DEFAULT_TTL_SECONDS = 300;
/** Secondaries look again within the hour and go on for two weeks; a miss is forgotten in a minute. */
const SOA_TIMERS = "3600 300 1209600 60";

export class ZoneEditor {
  readonly #options: EditorOptions;

  constructor(options: EditorOptions) {
    this.#options = options;
  }

  /**
   * A zone that only some see may be shown to more, and goes on with its serial.
   *
   * @param baseSerial - For a zone that another server has served: its last serial.
   * @param place - Who sees the zone, together with all more specific views.
   * @throws DnsError (E-DNS-ZONE) when the view has the zone, DnsValueError for a bad name.
   */
  async addZone(
    name: string,
    mailbox: string | undefined,
    baseSerial = 0,
    place: ViewPlace = PUBLIC_PLACE,
  ): Promise<EditResult> {
    const zone = parseDnsName(name);
    refuseUnfitZone(zone);
    const soas = soasOf(this.#options.view(), zone);
    if (soas.some(({ record }) => isSeenAt(record, place))) {
      throw new DnsError("E-DNS-ZONE", `The zone ${zoneText(zone)} is there already.`, {
        hint: `See it:  pleach dns list ${zoneText(zone)}`,
      });
    }
    const contact = mailboxName(mailbox ?? `hostmaster@${zoneText(zone)}`);
    const first = soas[0]?.record;
    if (first !== undefined && baseSerial !== 0) {
      const message = `The zone ${zoneText(zone)} has a serial already,${placeWords(first)}.`;
      throw new DnsError("E-DNS-ZONE", message, {
        hint: "It goes on with that: leave --serial out.",
      });
    }
    const serial = first === undefined ? baseSerial : serialIn(first.rdata);
    const soa = `. ${contact} ${serial} ${SOA_TIMERS}`;
    const record = makeZoneRecord(zone, zone, TYPE.SOA, 3600, soa, place);
    const stands = first?.stands;
    return this.#apply(zone, [stands === undefined ? record : { ...record, stands }], []);
  }

  /** Takes a zone off the mesh, with every record in it. */
  async removeZone(name: string): Promise<EditResult> {
    const zone = parseDnsName(name);
    const keys = this.#options
      .view()
      .entries("zone", zoneKeyPrefix(zone))
      .map(({ key }) => key);
    if (keys.length === 0) this.#noZone(name);
    return this.#apply(zone, [], keys);
  }

  /**
   * @throws DnsValueError, or DnsError: E-DNS-ZONE when no zone holds the name, E-DNS-RECORD when
   *   there is nothing to remove, E-DNS-CONFLICT when the name cannot have both.
   */
  async edit(request: RecordEdit): Promise<EditResult> {
    const { place = PUBLIC_PLACE } = request;
    const owner = parseDnsName(request.name);
    const zone = this.#zoneOf(owner, request.name, place);
    const all = recordsOf(this.#options.view(), zone, owner);
    const here = standingAt(all, place);
    if (request.action === "remove") return this.#remove(zone, owner, request, here, all);
    const type = parseZoneType(request.type ?? "");
    const same = here.filter(({ record }) => record.type === type);
    const ttl = request.ttl ?? same[0]?.record.ttl ?? DEFAULT_TTL_SECONDS;
    const made = request.data.map((data) => makeZoneRecord(zone, owner, type, ttl, data, place));
    if (made.length === 0) throw new DnsError("E-DNS-RECORD", "No data are given.", { exit: 2 });
    if (new Set(made.map(zoneRecordKey)).size < made.length) {
      const reason = isSingleType(type) ? "has one record only" : "is given twice";
      throw new DnsError(
        "E-DNS-CONFLICT",
        `${formatType(type)} of ${formatDnsName(owner)} ${reason}.`,
      );
    }
    refuseConflict(request.action, owner, type, place, all);
    const keys = new Set(made.map(zoneRecordKey));
    const removed =
      request.action === "set" ? same.map(({ key }) => key).filter((key) => !keys.has(key)) : [];
    // RFC 2181 section 5.2: one TTL for all records of a set.
    const retimed =
      request.action === "add" && request.ttl !== undefined
        ? same.filter(({ key }) => !keys.has(key)).map(({ record }) => ({ ...record, ttl }))
        : [];
    return this.#apply(zone, [...made, ...retimed], removed);
  }

  /** Writes what was decided elsewhere, as one change. */
  change(
    zone: DnsName,
    records: readonly ZoneRecord[],
    removed: readonly string[],
  ): Promise<EditResult> {
    return this.#apply(zone, records, removed);
  }

  async #remove(
    zone: DnsName,
    owner: DnsName,
    request: RecordEdit,
    here: readonly StoredRecord[],
    all: readonly StoredRecord[],
  ): Promise<EditResult> {
    const { place = PUBLIC_PLACE } = request;
    const type = request.type === undefined ? undefined : parseZoneType(request.type);
    const wanted =
      type === undefined
        ? undefined
        : request.data.map((data) =>
            zoneRecordKey(makeZoneRecord(zone, owner, type, 0, data, place)),
          );
    const matching = here.filter(
      ({ key, record }) =>
        (type === undefined ? record.type !== TYPE.SOA : record.type === type) &&
        (wanted === undefined || wanted.length === 0 || wanted.includes(key)),
    );
    if (type === TYPE.SOA) {
      throw new DnsError("E-DNS-CONFLICT", "A zone cannot be without its SOA record.", {
        hint: `To take the zone off the mesh:  pleach dns remove-zone ${zoneText(zone)}`,
      });
    }
    const missing = wanted?.findIndex((key) => !matching.some((entry) => entry.key === key)) ?? -1;
    if (matching.length === 0 || missing >= 0) {
      const what = `${type === undefined ? "" : `${formatType(type)} `}record`;
      const data = missing >= 0 ? ` ${request.data[missing]}` : "";
      const where = place.view === "public" && all.length === here.length ? "" : placeWords(place);
      const [elsewhere] = all
        .filter((entry) => entry.record.type === (type ?? entry.record.type))
        .filter((entry) => !here.includes(entry))
        .toSorted((a, b) => narrowness(a.record) - narrowness(b.record));
      throw new DnsError("E-DNS-RECORD", `${formatDnsName(owner)} has no ${what}${data}${where}.`, {
        hint:
          elsewhere === undefined
            ? `See what is there:  pleach dns list ${zoneText(zone)}. Names of services and sites go with the service or site.`
            : `It has one${placeWords(elsewhere.record)}; give${placeOptions(elsewhere.record) || " no --view"}.`,
      });
    }
    return this.#apply(
      zone,
      [],
      matching.map(({ key }) => key),
    );
  }

  async #apply(
    zone: DnsName,
    records: readonly ZoneRecord[],
    removed: readonly string[],
  ): Promise<EditResult> {
    const view = this.#options.view();
    const puts = records
      .map((record) => ({ key: zoneRecordKey(record), value: zoneRecordJson(record) }))
      .filter(({ key, value }) => !isSame(view.get("zone", key), value));
    const changes = [
      ...puts.map(({ key, value }) => ({ class: "zone" as const, key, value: { ...value } })),
      ...removed.map((key) => ({ class: "zone" as const, key, value: undefined })),
    ];
    let change: unknown;
    if (changes.length > 0) {
      change = await this.#options.writer.write(changes);
      await this.#options.reload();
    }
    const text = zoneText(zone);
    const serial = this.#options.served().find(({ apex }) => zoneText(apex) === text)?.serial ?? 0;
    return {
      zone: text,
      serial,
      written: puts.length,
      removed: removed.length,
      change: typeof change === "string" ? change : null,
    };
  }

  /** In the state as it is now: it may not be served yet. */
  #zoneOf(owner: DnsName, text: string, place: ViewPlace): DnsName {
    return zoneSeenAt(this.#options.view(), owner, place) ?? this.#noZone(text);
  }

  #noZone(text: string): never {
    throw noZone(
      text,
      this.#options.served().map(({ apex }) => zoneText(apex)),
    );
  }
}

function isSame(entry: ViewEntry | undefined, value: object): boolean {
  return (
    entry !== undefined &&
    entry.conflicts.length === 0 &&
    JSON.stringify(entry.value) === JSON.stringify(value)
  );
}

function serialIn(rdata: Uint8Array): number {
  return Buffer.from(rdata).readUInt32BE(rdata.length - 20);
}

/** `web.master@example.net` as a name: the first label may hold a dot (RFC 1035 section 8). */
function mailboxName(mailbox: string): string {
  const at = mailbox.lastIndexOf("@");
  if (at < 1 || at === mailbox.length - 1) {
    throw new DnsError("E-DNS-RECORD", `"${mailbox}" is not a mail address.`, { exit: 2 });
  }
  const local = mailbox.slice(0, at).replace(/[.\\]/g, "\\$&");
  return `${local}.${mailbox.slice(at + 1).replace(/\.$/, "")}.`;
}
