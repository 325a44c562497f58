/**
 * Changes of many records at once: imports, and taking a change back.
 *
 * A change may come in several batches, so that neither side is away for long. The SOA records come
 * last: a new zone is served when it is whole. The serial that a SOA brings is the one that is
 * served until the next change, unless the zone is past it already: no serial goes back.
 */
import { parseDnsName, type DnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import {
  makeZoneRecord,
  parseZoneType,
  readZoneRecord,
  zoneRecordJson,
  zoneRecordKey,
  zoneText,
  type ZoneRecord,
} from "../../protocol/dns/zone-record.ts";
import type { ViewPlace } from "../../protocol/dns/zone-view.ts";
import { sameJson, type JsonValue } from "../../protocol/encoding/json-value.ts";
import type { SiteId } from "../../protocol/ids.ts";
import type { View } from "../core/logs/view.ts";
import type { Zone } from "../core/zones/zone.ts";
import { serialFrom, settledSoa, standingBase } from "../core/zones/serial-base.ts";
import { countOf, isLaterSerial, type Serials } from "../core/zones/zone-serial.ts";
import {
  digestOf,
  type ChangeHead,
  type ChangeJournal,
  type RecordChange,
} from "./change-journal.ts";
import { DnsError } from "./error.ts";
import { refuseUnfitZone } from "./fit-zone.ts";
import { placeWords, soasOf, standingAt } from "./stored-records.ts";
import { basesKept, changedSince, isSoaKey, refuseOrphans } from "./soa-changes.ts";

/** Changes of one write to the state. Each write makes the view anew, so few large ones cost less. */
const BATCH = 8000;
/** The first may not know how many entries a write takes; a third meets what others wrote meanwhile. */
const SERIAL_ATTEMPTS = 4;
/** More hash bits than a serial has: a serial so far ahead is later whatever the hash will be. */
const SERIAL_STEP = 64;
const COUNTS = 2 ** 26;

export interface BulkOptions {
  readonly view: () => View;
  readonly journal: ChangeJournal;
  /** The zones as served. */
  readonly served: () => readonly Zone[];
  /** Serves what was written. */
  readonly reload: () => Promise<void> | void;
  readonly serials: () => Serials;
  readonly siteId: SiteId;
}

/** A record as text; names absolute, data as in a zone file. */
export interface RecordText {
  readonly zone: string;
  readonly name: string;
  readonly type: string;
  readonly data: string;
}

export interface BulkRequest {
  /** Whose records all of these are. Default: the public's. */
  readonly place?: ViewPlace | undefined;
  /** The change that this batch goes on with. */
  readonly change?: string | undefined;
  readonly puts: readonly (RecordText & { readonly ttl: number })[];
  readonly removes: readonly RecordText[];
  /** Serve what was written, the batches before included. */
  readonly last: boolean;
}

export interface BulkResult {
  /** Null: everything was so already. */
  readonly change: string | null;
  readonly written: number;
  readonly removed: number;
  /** The zones of this batch that are served, with their serials. */
  readonly zones: readonly { readonly zone: string; readonly serial: number }[];
}

interface PlacedSoa {
  readonly soa: ZoneRecord;
  /** Whether its serial is to be served as it is. */
  readonly stands: boolean;
}

export class ZoneBulk {
  readonly #options: BulkOptions;

  constructor(options: BulkOptions) {
    this.#options = options;
  }

  /** @throws DnsValueError, DnsError (E-DNS-ZONE); nothing of the batch is written then. */
  async apply({ place, change, puts, removes, last }: BulkRequest): Promise<BulkResult> {
    const zones = new Map<string, DnsName>();
    const zoneOf = (text: string): DnsName => {
      const zone = zones.get(text) ?? fitZone(text);
      zones.set(text, zone);
      return zone;
    };
    const made = puts.map(({ zone, name, type, ttl, data }) =>
      makeZoneRecord(zoneOf(zone), parseDnsName(name), parseZoneType(type), ttl, data, place),
    );
    const gone = removes.map(({ zone, name, type, data }) =>
      zoneRecordKey(
        makeZoneRecord(zoneOf(zone), parseDnsName(name), parseZoneType(type), 0, data, place),
      ),
    );
    const { journal } = this.#options;
    const of = change === undefined ? journal.begin(null) : journal.head(change);
    const [soas, others] = [
      made.filter(({ type }) => type === TYPE.SOA),
      made.filter(({ type }) => type !== TYPE.SOA),
    ];
    const changes = await this.#write(of, others.map(toChange), gone);
    const placed = soas.flatMap((soa) => this.#placed(soa, true) ?? []);
    await this.#writeSoas(placed, of);
    return this.#result(of, changes, placed.length, [...zones.values()], last);
  }

  /**
   * Removes the SOA record of one view; another one goes on with the serial.
   *
   * @throws DnsError: E-DNS-RECORD when the view has none of its own, E-DNS-CONFLICT when it is the
   *   only one.
   */
  async removeSoa(zone: DnsName, place: ViewPlace): Promise<BulkResult> {
    const soas = soasOf(this.#options.view(), zone);
    const here = standingAt(soas, place).map(({ key }) => key);
    const text = zoneText(zone);
    if (here.length === 0) {
      const message = `${text} has no SOA record${placeWords(place)}.`;
      throw new DnsError("E-DNS-RECORD", message, { hint: `See:  pleach dns list ${text}` });
    }
    if (soas.length === here.length) {
      throw new DnsError("E-DNS-CONFLICT", "A zone cannot be without its SOA record.", {
        hint: `To take the zone off the mesh:  pleach dns remove-zone ${text}`,
      });
    }
    const of = this.#options.journal.begin(null);
    return this.#result(of, await this.#write(of, [], here), 0, [zone], true);
  }

  /**
   * Puts back exactly what a change replaced.
   *
   * @throws DnsError (E-DNS-UNDO) when there is no such change, or somebody has changed since what
   *   it changed; nothing is written then.
   */
  async undo(id: string): Promise<BulkResult> {
    const { journal, view } = this.#options;
    const { id: known } = journal.head(id);
    const lines = await journal.lines(known);
    const now = view();
    const changed = lines.filter(({ key, after }) => !isAsLeft(now, key, after));
    if (changed.length > 0)
      throw changedSince(
        known,
        changed.map(({ key }) => key),
      );
    const back = lines.filter(({ key, before }) => !same(now.get("zone", key)?.value, before));
    refuseOrphans(now, known, back);
    const soas: ZoneRecord[] = [];
    const puts: RecordChange[] = [];
    const removed: string[] = [];
    for (const { key, before } of back) {
      if (before === undefined) removed.push(key);
      else if (isSoaKey(key)) soas.push(readZoneRecord(key, before));
      else puts.push({ class: "zone", key, value: before });
    }
    const texts = [...new Set(lines.map(({ key }) => key.split("/", 1)[0] ?? ""))];
    const of = journal.begin(known);
    const changes = await this.#write(of, puts, removed);
    const placed = soas.flatMap((soa) => this.#placed(soa, false) ?? []);
    await this.#writeSoas(placed, of);
    return this.#result(
      of,
      changes,
      placed.length,
      texts.map((text) => parseDnsName(text)),
      true,
    );
  }

  /** Writes what is not so already, in pieces. */
  async #write(
    of: ChangeHead,
    puts: readonly RecordChange[],
    removed: readonly string[],
  ): Promise<readonly RecordChange[]> {
    const now = this.#options.view();
    const soas = basesKept(now, removed, this.#options.serials()).map(toChange);
    const changes: RecordChange[] = [
      ...[...puts, ...soas].filter(({ key, value }) => !isSettled(now, key, value)),
      ...removed
        .filter((key) => now.get("zone", key) !== undefined)
        .map((key) => ({ class: "zone" as const, key, value: undefined })),
    ];
    for (let at = 0; at < changes.length; at += BATCH) {
      await this.#options.journal.write(changes.slice(at, at + BATCH), of);
    }
    return changes;
  }

  async #result(
    of: ChangeHead,
    changes: readonly RecordChange[],
    soas: number,
    zones: readonly DnsName[],
    serve: boolean,
  ): Promise<BulkResult> {
    if (serve) await this.#options.reload();
    const removed = changes.filter(({ value }) => value === undefined).length;
    const texts = new Set(zones.map(zoneText));
    return {
      change: changes.length + soas === 0 ? null : of.id,
      written: changes.length - removed + soas,
      removed,
      zones: this.#options
        .served()
        .filter(({ apex }) => texts.has(zoneText(apex)))
        .map(({ apex, serial }) => ({ zone: zoneText(apex), serial })),
    };
  }

  /**
   * A SOA with the serial that it may have, and whether that is its own; undefined when the state
   * has it already. The serial of a zone is the latest of its SOA records, so each goes on with that.
   *
   * @param fromFile - Else it stood in the state before, with a base that is counted from.
   */
  #placed(soa: ZoneRecord, fromFile: boolean): PlacedSoa | undefined {
    // Of the state as it is now: what is served may be behind it.
    const { view, serials } = this.#options;
    const base = standingBase(view(), soa.zone, serials());
    if (base === undefined) return { soa, stands: fromFile };
    const serial = serialFrom(base, serials());
    if (isLaterSerial(serialIn(soa), (serial + SERIAL_STEP) % 2 ** 32))
      return { soa, stands: true };
    const kept = settledSoa(soa, view(), serials());
    if (isSettled(view(), zoneRecordKey(kept), toChange(kept).value)) return undefined;
    return { soa: kept, stands: false };
  }

  /** Writes them so that each serial that may stand is the one that is served right after it. */
  async #writeSoas(soas: readonly PlacedSoa[], of: ChangeHead): Promise<void> {
    const { serials, siteId, journal } = this.#options;
    let step = 1;
    for (let attempt = 0; attempt < SERIAL_ATTEMPTS && soas.length > 0; attempt++) {
      const before = serials();
      const counted = countOf(before.serialOffset);
      const stands = { count: (counted + step) % COUNTS, others: before.othersHash(siteId) };
      await journal.write(
        soas.map((each) => toChange(each.stands ? { ...each.soa, stands } : each.soa)),
        of,
      );
      const after = serials();
      const count = countOf(after.serialOffset);
      if (!soas.some((each) => each.stands)) return;
      if (count === stands.count && after.othersHash(siteId) === stands.others) return;
      step = (count - counted + COUNTS) % COUNTS;
    }
  }
}

function fitZone(text: string): DnsName {
  const zone = parseDnsName(text);
  refuseUnfitZone(zone);
  return zone;
}

function toChange(record: ZoneRecord): RecordChange & { readonly value: JsonValue } {
  return { class: "zone", key: zoneRecordKey(record), value: zoneRecordJson(record) };
}

function isSettled(view: View, key: string, value: JsonValue | undefined): boolean {
  const entry = view.get("zone", key);
  return entry !== undefined && entry.conflicts.length === 0 && same(entry.value, value);
}

function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameJson(a, b);
}

function isAsLeft(view: View, key: string, after: string | null): boolean {
  const entry = view.get("zone", key);
  if (entry === undefined || after === null) return entry === undefined && after === null;
  return entry.conflicts.length === 0 && digestOf(entry.value) === after;
}

function serialIn({ rdata }: ZoneRecord): number {
  return Buffer.from(rdata).readUInt32BE(rdata.length - 20);
}
