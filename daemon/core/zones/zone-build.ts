/**
 * Zones from replicated state: the records that people wrote, and names from the inventory.
 *
 * A pure function, so nodes with the same state serve the same zones. Records may contradict one
 * another, because two people may edit at once; each contradiction is settled by a rule here and
 * becomes a warning. None stops a zone from being served.
 */
import {
  countLabels,
  formatDnsName,
  isHostName,
  lowerCase,
  nameKey,
  parentName,
  parseDnsName,
  readDnsName,
  ROOT_NAME,
  type DnsName,
} from "../../../protocol/dns/dns-name.ts";
import { formatType, TYPE } from "../../../protocol/dns/dns-type.ts";
import { PleachError } from "../../../protocol/error.ts";
import type { SiteId, VersionId } from "../../../protocol/ids.ts";
import { isZoneMeta } from "../../../protocol/dns/zone-key.ts";
import { readZoneRecord, zoneText } from "../../../protocol/dns/zone-record.ts";
import { perView, ZONE_VIEWS, type ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { View, ViewEntry } from "../logs/view.ts";
import { narrowness } from "./seen-at.ts";
import type { RRset, Zone, ZoneLine, ZoneName } from "./zone.ts";
import type { Steering } from "./steering.ts";
import { inventoryLines, type NamedSite } from "./zone-inventory.ts";
import { buildName } from "./zone-name.ts";
import { standingSerial, zoneSerial } from "./zone-serial.ts";

/** More warnings than this are counted, not listed. */
const MAX_WARNINGS = 50;

export interface ZoneState {
  readonly view: View;
  /** Of this node: its LAN sees what is for its site only. */
  readonly ownSite: SiteId;
  /** The members with their names. */
  readonly sites: readonly NamedSite[];
  /** Which sites of services are answered; default: all. */
  readonly steering?: Steering;
  /** See zone-serial.ts. */
  readonly serialOffset: number;
  /** See zone-serial.ts. */
  readonly othersHash: (author: SiteId) => number;
}

interface Draft {
  readonly apex: DnsName;
  /** By nameKey. */
  readonly written: Map<string, ZoneLine[]>;
  /** Warnings about single records, by the nameKey of their owner; "" for none in particular. */
  readonly notes: Map<string, string[]>;
}

/**
 * Records that were read before, by version. A version always says the same, so remembering
 * changes nothing but the time that the next build takes.
 */
export type ReadRecords = Map<VersionId, ZoneLine>;

/**
 * All zones that have a SOA record, sorted by name.
 *
 * @param memory - What the build before this one has read; what is gone is dropped from it.
 */
export function buildZones(state: ZoneState, memory: ReadRecords = new Map()): readonly Zone[] {
  const before = new Map(memory);
  memory.clear();
  const drafts = new Map<string, Draft>();
  for (const entry of state.view.entries("zone")) {
    if (isZoneMeta(entry.key)) continue;
    const zoneName = entry.key.split("/", 1)[0] ?? "";
    try {
      const line = before.get(entry.versionId) ?? readLine(entry);
      memory.set(entry.versionId, line);
      const { owner, type } = line;
      const draft = draftOf(drafts, zoneName);
      add(draft.written, nameKey(owner), line);
      if (entry.conflicts.length > 0) {
        add(
          draft.notes,
          nameKey(owner),
          `${formatType(type)} of ${formatDnsName(owner)} was changed at two sites at once; the newer change counts.`,
        );
      }
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      const draft = drafts.get(zoneName);
      if (draft === undefined) continue;
      add(draft.notes, "", `A record of ${entry.author} is ignored: ${error.message}`);
    }
  }
  return [...drafts.values()]
    .toSorted((a, b) => (zoneText(a.apex) < zoneText(b.apex) ? -1 : 1))
    .flatMap((draft) => finish(draft, state) ?? []);
}

function add<Each>(lists: Map<string, Each[]>, key: string, each: Each): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [each]);
  else list.push(each);
}

function readLine({ key, value, author, lamport }: ViewEntry): ZoneLine {
  const { owner, type, ttl, rdata, view, site, stands, tsig } = readZoneRecord(key, value);
  const edit = { kind: "edit", key, author, lamport } as const;
  const origin = tsig === undefined ? edit : { ...edit, tsig };
  return {
    ...{ owner: pooled(owner) as DnsName, type, ttl, rdata: pooled(rdata), view, origin },
    ...(site === undefined ? {} : { site }),
    ...(stands === undefined ? {} : { stands }),
  };
}

/** A copy that shares its memory with others: by itself a small array takes 100 bytes more. */
function pooled(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.from(bytes);
  return new Uint8Array(buffer, byteOffset, length);
}

/** @param zoneName - As it stands in the keys of records that were read: there is one way to write it. */
function draftOf(drafts: Map<string, Draft>, zoneName: string): Draft {
  const draft = drafts.get(zoneName) ?? {
    apex: lowerCase(parseDnsName(zoneName)),
    written: new Map(),
    notes: new Map(),
  };
  drafts.set(zoneName, draft);
  return draft;
}

function finish(draft: Draft, state: ZoneState): Zone | undefined {
  const { apex, written, notes } = draft;
  const apexKey = nameKey(apex);
  const soa = chosenSoa(written.get(apexKey) ?? [], state.ownSite);
  if (soa === undefined) return undefined;
  const serial = serialOf(soa, state);
  const derived = Map.groupBy(inventoryLines(apex, state), ({ owner }) => nameKey(owner));
  const names = new Map<string, ZoneName>();
  for (const key of new Set([...written.keys(), ...derived.keys()])) {
    const lines = [...(written.get(key) ?? []), ...(derived.get(key) ?? [])];
    const isApex = key === apexKey;
    const completeSoa = isApex ? soaWith(serial) : undefined;
    const { ownSite, steering } = state;
    const context = { ownSite, isApex, completeSoa, steering };
    names.set(
      key,
      buildName(
        lines[0]?.owner ?? apex,
        written.get(key) ?? [],
        derived.get(key) ?? [],
        context,
        notes.get(key),
      ),
    );
  }
  const top = names.get(apexKey);
  const setAt = (view: ZoneView, type: number): RRset | undefined =>
    top?.stored[view].find((rrset) => rrset.type === type);
  const warnings = [...(notes.get("") ?? [])];
  if (ZONE_VIEWS.every((view) => setAt(view, TYPE.NS) === undefined)) {
    warnings.push("The zone has no name server: no site says where it answers DNS.");
  }
  for (const name of names.values()) warnings.push(...name.warnings);
  warnings.push(...hiddenWarnings(apex, names));
  return {
    ...{ apex, serial, names },
    soa: perView((view) => setAt(view, TYPE.SOA)),
    lineCount: [...names.values()].reduce((sum, { lines }) => sum + lines.length, 0),
    warnings: shortened(warnings),
  };
}

/** The SOA record whose serial is that of the zone: of the least specific view that has one. */
function chosenSoa(lines: readonly ZoneLine[], ownSite: SiteId): ZoneLine | undefined {
  const soas = lines.filter(
    ({ type, site }) => type === TYPE.SOA && (site === undefined || site === ownSite),
  );
  return soas.toSorted((a, b) => narrowness(a) - narrowness(b))[0];
}

function serialOf({ rdata, stands, origin }: ZoneLine, state: ZoneState): number {
  const own = Buffer.from(rdata).readUInt32BE(rdata.length - 20);
  if (stands === undefined || origin.kind !== "edit") return zoneSerial(own, state.serialOffset);
  return standingSerial(own, stands, state.serialOffset, state.othersHash(origin.author));
}

/** Puts in the serial, and the first name server of the view where the primary is left open. */
function soaWith(serial: number): (soa: ZoneLine, shown: readonly ZoneLine[]) => ZoneLine {
  return (soa, shown) => {
    const [server] = shown
      .filter(({ type }) => type === TYPE.NS)
      .map(({ rdata }) => rdata)
      .toSorted((a, b) => Buffer.compare(a, b));
    const primary = readDnsName(soa.rdata, 0) ?? ROOT_NAME;
    const rest = soa.rdata.subarray(primary.length);
    const named = primary.length === 1 && server !== undefined ? server : primary;
    const full = Buffer.concat([named, rest]);
    full.writeUInt32BE(serial, full.length - 20);
    return { ...soa, rdata: Uint8Array.from(full) };
  };
}

/** Records that no question reaches, and names that no host can have. */
function hiddenWarnings(apex: DnsName, names: ReadonlyMap<string, ZoneName>): string[] {
  const warnings: string[] = [];
  const depth = countLabels(apex);
  const cuts = new Set<string>();
  for (const [key, { owner, lines }] of names) {
    const leads = lines.some(
      ({ type }) => type === TYPE.DNAME || (type === TYPE.NS && owner.length > apex.length),
    );
    if (leads) cuts.add(key);
  }
  for (const { owner, lines } of names.values()) {
    const types = new Set(lines.map(({ type }) => type));
    if ((types.has(TYPE.A) || types.has(TYPE.AAAA)) && !isHostName(owner)) {
      warnings.push(`${formatDnsName(owner)} has an address, but is no name that hosts can have.`);
    }
    if (cuts.size === 0) continue;
    for (let up = 1; up <= countLabels(owner) - depth; up++) {
      if (!cuts.has(nameKey(owner, up))) continue;
      for (const type of types) {
        if (type === TYPE.A || type === TYPE.AAAA) continue;
        const name = `${formatType(type)} of ${formatDnsName(owner)}`;
        const above = formatDnsName(parentName(owner, up));
        warnings.push(`${name} is never served: ${above} leads elsewhere.`);
      }
      break;
    }
  }
  return warnings;
}

function shortened(warnings: readonly string[]): string[] {
  const unique = [...new Set(warnings)];
  if (unique.length <= MAX_WARNINGS) return unique;
  return [...unique.slice(0, MAX_WARNINGS), `And ${unique.length - MAX_WARNINGS} more.`];
}
