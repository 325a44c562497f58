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
import { toHex, type SiteId, type VersionId } from "../../../protocol/ids.ts";
import { isZoneMeta } from "../../../protocol/dns/zone-key.ts";
import { readZoneRecord, zoneText } from "../../../protocol/dns/zone-record.ts";
import type { View, ViewEntry } from "../logs/view.ts";
import type { RRset, Zone, ZoneLine } from "./zone.ts";
import { inventoryLines, type NamedSite } from "./zone-inventory.ts";
import { standingSerial, zoneSerial } from "./zone-serial.ts";

/** More warnings than this are counted, not listed. */
const MAX_WARNINGS = 50;

export interface ZoneState {
  readonly view: View;
  /** The members with their names. */
  readonly sites: readonly NamedSite[];
  /** See zone-serial.ts. */
  readonly serialOffset: number;
  /** See zone-serial.ts. */
  readonly othersHash: (author: SiteId) => number;
}

interface Draft {
  readonly apex: DnsName;
  lines: ZoneLine[];
  readonly warnings: string[];
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
      if (line === undefined) continue;
      memory.set(entry.versionId, line);
      const { owner, type } = line;
      const draft = draftOf(drafts, zoneName);
      draft.lines.push(line);
      if (entry.conflicts.length > 0) {
        draft.warnings.push(
          `${formatType(type)} of ${formatDnsName(owner)} was changed at two sites at once; the newer change counts.`,
        );
      }
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      drafts
        .get(zoneName)
        ?.warnings.push(`A record of ${entry.author} is ignored: ${error.message}`);
    }
  }
  return [...drafts.values()]
    .toSorted((a, b) => (zoneText(a.apex) < zoneText(b.apex) ? -1 : 1))
    .flatMap((draft) => finish(draft, state) ?? []);
}

/** Undefined for a record that is not shown to everybody. */
function readLine({ key, value, author, lamport }: ViewEntry): ZoneLine | undefined {
  const { owner, type, ttl, rdata, view, stands, tsig } = readZoneRecord(key, value);
  if (view !== "public") return undefined;
  const edit = { kind: "edit", key, author, lamport } as const;
  const origin = tsig === undefined ? edit : { ...edit, tsig };
  const line = { owner: pooled(owner) as DnsName, type, ttl, rdata: pooled(rdata), origin };
  return stands === undefined ? line : { ...line, stands };
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
    lines: [],
    warnings: [],
  };
  drafts.set(zoneName, draft);
  return draft;
}

function finish(draft: Draft, state: ZoneState): Zone | undefined {
  const soa = draft.lines.find(({ type }) => type === TYPE.SOA);
  if (soa === undefined) return undefined;
  dropAliasesBesideData(draft);
  addInventory(draft, state);
  const servers = draft.lines
    .filter((line) => isApex(draft, line) && line.type === TYPE.NS)
    .toSorted((a, b) => Buffer.compare(a.rdata, b.rdata));
  if (servers.length === 0) {
    draft.warnings.push("The zone has no name server: no site says where it answers DNS.");
  }
  const serial = serialOf(soa, state);
  const full: ZoneLine = { ...soa, rdata: completeSoa(soa.rdata, servers[0]?.rdata, serial) };
  const lines = draft.lines.map((line) => (line === soa ? full : line));
  const rrsets = gather(lines, draft.warnings);
  const soaSet = rrsets.find(({ type }) => type === TYPE.SOA);
  if (soaSet === undefined) return undefined;
  warnOfHidden(draft.warnings, draft.apex, rrsets);
  return {
    apex: draft.apex,
    serial,
    soa: soaSet,
    rrsets,
    lines,
    warnings: shortened(draft.warnings),
  };
}

function serialOf({ rdata, stands, origin }: ZoneLine, state: ZoneState): number {
  const own = Buffer.from(rdata).readUInt32BE(rdata.length - 20);
  if (stands === undefined || origin.kind !== "edit") return zoneSerial(own, state.serialOffset);
  return standingSerial(own, stands, state.serialOffset, state.othersHash(origin.author));
}

function isApex({ apex }: Draft, line: ZoneLine): boolean {
  return line.owner.length === apex.length;
}

/**
 * RFC 1034 section 3.6.2: "If a CNAME RR is present at a node, no other data should be present".
 * The other data stay: they answer more questions than the alias does.
 */
function dropAliasesBesideData(draft: Draft): void {
  const withData = new Set(
    draft.lines.filter(({ type }) => type !== TYPE.CNAME).map(({ owner }) => nameKey(owner)),
  );
  draft.lines = draft.lines.filter((line) => {
    if (line.type !== TYPE.CNAME || !withData.has(nameKey(line.owner))) return true;
    const name = formatDnsName(line.owner);
    draft.warnings.push(`The CNAME of ${name} is left out: the name has other records.`);
    return false;
  });
}

/** Adds derived names, where nobody wrote an address or an alias of the same name. */
function addInventory(draft: Draft, state: ZoneState): void {
  const written = new Map<string, Set<number>>();
  for (const { owner, type } of draft.lines) {
    const key = nameKey(owner);
    written.set(key, (written.get(key) ?? new Set()).add(type));
  }
  const hidden = new Set<string>();
  for (const line of inventoryLines(draft.apex, state.view, state.sites)) {
    const types = written.get(nameKey(line.owner));
    // At the apex only name servers are derived, and addresses beside them are no contradiction.
    const byHand = isApex(draft, line) ? [line.type] : [line.type, TYPE.A, TYPE.AAAA, TYPE.CNAME];
    if (types === undefined || !byHand.some((type) => types.has(type))) draft.lines.push(line);
    else if (!isApex(draft, line)) hidden.add(formatDnsName(line.owner));
  }
  for (const name of hidden) {
    draft.warnings.push(`${name} was written by hand, so the inventory does not fill it.`);
  }
}

/** Puts in the serial, and the first name server where the primary is left open. */
function completeSoa(
  rdata: Uint8Array,
  server: Uint8Array | undefined,
  serial: number,
): Uint8Array {
  const primary = readDnsName(rdata, 0) ?? ROOT_NAME;
  const rest = rdata.subarray(primary.length);
  const named = primary.length === 1 && server !== undefined ? server : primary;
  const full = Buffer.concat([named, rest]);
  full.writeUInt32BE(serial, full.length - 20);
  return Uint8Array.from(full);
}

/** Record sets: one TTL each (the least), no record twice, in one order on every node. */
function gather(lines: readonly ZoneLine[], warnings: string[]): RRset[] {
  const sets = new Map<string, { first: ZoneLine; ttl: number; rdata: Map<string, Uint8Array> }>();
  for (const line of lines) {
    const key = `${nameKey(line.owner)} ${line.type}`;
    const set = sets.get(key) ?? { first: line, ttl: line.ttl, rdata: new Map() };
    sets.set(key, set);
    if (set.ttl !== line.ttl && line.origin.kind === "edit") {
      const what = `${formatType(line.type)} of ${formatDnsName(line.owner)}`;
      warnings.push(`${what} has records with different TTLs; the least counts (RFC 2181).`);
    }
    set.ttl = Math.min(set.ttl, line.ttl);
    set.rdata.set(toHex(line.rdata), line.rdata);
  }
  return [...sets.values()].map(({ first, ttl, rdata }) => ({
    owner: first.owner,
    type: first.type,
    ttl,
    rdata: [...rdata].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, bytes]) => bytes),
  }));
}

/** Records that no question reaches, and names that no host can have. */
function warnOfHidden(warnings: string[], apex: DnsName, rrsets: readonly RRset[]): void {
  const depth = countLabels(apex);
  const cuts = new Set(
    rrsets
      .filter(
        ({ owner, type }) =>
          type === TYPE.DNAME || (type === TYPE.NS && owner.length > apex.length),
      )
      .map(({ owner }) => nameKey(owner)),
  );
  for (const { owner, type } of rrsets) {
    for (let up = 1; up <= countLabels(owner) - depth; up++) {
      if (!cuts.has(nameKey(owner, up)) || type === TYPE.A || type === TYPE.AAAA) continue;
      const name = `${formatType(type)} of ${formatDnsName(owner)}`;
      warnings.push(
        `${name} is never served: ${formatDnsName(parentName(owner, up))} leads elsewhere.`,
      );
      break;
    }
    if ((type === TYPE.A || type === TYPE.AAAA) && !isHostName(owner)) {
      warnings.push(`${formatDnsName(owner)} has an address, but is no name that hosts can have.`);
    }
  }
}

function shortened(warnings: readonly string[]): string[] {
  const unique = [...new Set(warnings)];
  if (unique.length <= MAX_WARNINGS) return unique;
  return [...unique.slice(0, MAX_WARNINGS), `And ${unique.length - MAX_WARNINGS} more.`];
}
