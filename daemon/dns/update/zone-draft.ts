/**
 * The records of a zone that an update is about, as its steps change them.
 *
 * Only what somebody wrote can be changed: names of services and sites are there for the
 * prerequisites, and go with the service or site.
 *
 * Source: RFC 2136 section 3.4.2.
 */
import { lowerCase, nameKey, readDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { nameOffsets } from "../../../protocol/dns/rdata-names.ts";
import { isSingleType, zoneRecordKey, type ZoneRecord } from "../../../protocol/dns/zone-record.ts";
import type { ViewPlace } from "../../../protocol/dns/zone-view.ts";
import { toHex } from "../../../protocol/ids.ts";
import { isBesideAlias, type StoredRecord } from "../stored-records.ts";
import type { UpdateStep } from "./update-message.ts";

export interface DraftOptions {
  readonly zone: DnsName;
  /** Whose records are changed. */
  readonly place: ViewPlace;
  /** What somebody wrote at a name, at that place. */
  readonly written: (owner: DnsName) => readonly StoredRecord[];
  /** What somebody wrote at a name, at any other place. */
  readonly elsewhere: (owner: DnsName) => readonly StoredRecord[];
  /** The serial that is served. */
  readonly serial: number;
}

interface DraftName {
  readonly before: readonly StoredRecord[];
  now: StoredRecord[];
}

export class ZoneDraft {
  readonly #options: DraftOptions;
  readonly #names = new Map<string, DraftName>();

  constructor(options: DraftOptions) {
    this.#options = options;
  }

  /** The types that are written at a name now. */
  typesAt(owner: DnsName): readonly number[] {
    return [...new Set(this.#at(owner).now.map(({ record }) => record.type))];
  }

  take(step: UpdateStep): void {
    const at = this.#at(step.owner);
    const isApex = nameKey(step.owner) === nameKey(this.#options.zone);
    switch (step.kind) {
      case "add":
        return this.#add(step, isApex);
      case "delete-name":
        // Section 3.4.2.3: all records, but at the apex not "SOA or NS RRs".
        at.now = at.now.filter(({ record }) => isApex && isPillar(record.type));
        return;
      case "delete-set":
        if (isApex && isPillar(step.type)) return;
        at.now = at.now.filter(({ record }) => record.type !== step.type);
        return;
      case "delete-record": {
        if (step.type === TYPE.SOA) return;
        const same = at.now.filter(({ record }) => record.type === step.type);
        // Section 3.4.2.4: the last NS of the apex stays.
        if (isApex && step.type === TYPE.NS && same.length === 1) return;
        const wanted = canonical(step.type, step.rdata);
        const gone = same.find(({ record }) => canonical(step.type, record.rdata) === wanted);
        at.now = at.now.filter((held) => held !== gone);
      }
    }
  }

  /** Section 3.4.2.2: what cannot be there beside what is, is "silently ignored". */
  #add({ owner, type, ttl, rdata }: Extract<UpdateStep, { kind: "add" }>, isApex: boolean): void {
    const at = this.#at(owner);
    const isAlias = type === TYPE.CNAME;
    if (at.now.some(({ record }) => (record.type === TYPE.CNAME) !== isAlias)) return;
    if (isApex && (isAlias || type === TYPE.DS)) return;
    const { place, elsewhere } = this.#options;
    if (elsewhere(owner).some(({ record }) => isBesideAlias(type, place, record))) return;
    if (type === TYPE.SOA) return this.#replaceSoa(at, { ttl, rdata }, isApex);
    const wanted = canonical(type, rdata);
    const same = at.now.filter(({ record }) => record.type === type);
    const there = same.find(({ record }) => canonical(type, record.rdata) === wanted);
    const { zone } = this.#options;
    const made: ZoneRecord = there?.record ?? { zone, owner, type, ttl, rdata, ...place };
    const kept = isSingleType(type) ? [] : same.filter((held) => held !== there);
    at.now = [
      ...at.now.filter(({ record }) => record.type !== type),
      // RFC 2181 section 5.2: one TTL for all records of a set.
      ...[...kept.map(({ record }) => record), made].map((record) => stored({ ...record, ttl })),
    ];
  }

  /**
   * The serial of a zone counts what is written, whatever serial a SOA record brings; that one only
   * decides whether the record is newer. So no update takes a serial back.
   */
  #replaceSoa(
    at: DraftName,
    { ttl, rdata }: { readonly ttl: number; readonly rdata: Uint8Array },
    isApex: boolean,
  ): void {
    const there = at.now.find(({ record }) => record.type === TYPE.SOA);
    if (!isApex || there === undefined) return;
    const given = Buffer.from(rdata);
    const serialAt = given.length - 20;
    const distance = (given.readUInt32BE(serialAt) - this.#options.serial + 2 ** 32) % 2 ** 32;
    if (distance === 0 || distance >= 2 ** 31) return;
    const old = Buffer.from(there.record.rdata);
    given.writeUInt32BE(old.readUInt32BE(old.length - 20), serialAt);
    const record = { ...there.record, ttl, rdata: Uint8Array.from(given) };
    at.now = at.now.map((held) => (held === there ? stored(record) : held));
  }

  /** What the steps come to: nothing for a record that is as it was. */
  changes(): { readonly puts: readonly ZoneRecord[]; readonly removed: readonly string[] } {
    const puts: ZoneRecord[] = [];
    const removed: string[] = [];
    for (const { before, now } of this.#names.values()) {
      const was = new Map(before.map(({ key, record }) => [key, record]));
      const is = new Set(now.map(({ key }) => key));
      removed.push(...before.map(({ key }) => key).filter((key) => !is.has(key)));
      for (const { key, record } of now) {
        const old = was.get(key);
        const isSame = old?.ttl === record.ttl && toHex(old.rdata) === toHex(record.rdata);
        if (!isSame) puts.push(record);
      }
    }
    return { puts, removed };
  }

  #at(owner: DnsName): DraftName {
    const key = nameKey(owner);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const before = this.#options.written(owner);
    const made = { before, now: [...before] };
    this.#names.set(key, made);
    return made;
  }
}

function stored(record: ZoneRecord): StoredRecord {
  return { key: zoneRecordKey(record), record };
}

/** A zone is not without its SOA and NS records. */
function isPillar(type: number): boolean {
  return type === TYPE.SOA || type === TYPE.NS;
}

/** Data as text in which names of any case are the same (RFC 4034 section 6.2). */
export function canonical(type: number, rdata: Uint8Array): string {
  const bytes = Uint8Array.from(rdata);
  for (const offset of nameOffsets(type, bytes)) {
    const name = readDnsName(bytes, offset);
    if (name !== undefined) bytes.set(lowerCase(name), offset);
  }
  return toHex(bytes);
}
