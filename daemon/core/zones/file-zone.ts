/**
 * A zone out of the records of a file, and what keeps them from being one.
 *
 * What a person may not write by one command, a file may not bring either: mistakes here are told
 * with their line, before anything is changed.
 *
 * Source: RFC 1034 section 3.6.2 and RFC 6672 section 2.4 for aliases, RFC 2181 section 5.2 for TTLs.
 */
import { formatDnsName, isWithin, nameKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, TYPE } from "../../../protocol/dns/dns-type.ts";
import type { FileProblem, FileRecord } from "../../../protocol/dns/zone-file.ts";
import {
  isSingleType,
  zoneRecordKey,
  zoneRecordOf,
  type ZoneRecord,
} from "../../../protocol/dns/zone-record.ts";
import { PleachError } from "../../../protocol/error.ts";
import { MAX_KEY_BYTES } from "../../../protocol/logs/record-version.ts";

export interface FileZone {
  readonly apex: DnsName;
  /** Each once; those of a name and type have one TTL. */
  readonly records: readonly ZoneRecord[];
  /** What was settled, as sentences. */
  readonly notes: readonly string[];
}

/**
 * @param zone - The zone that the file is of; without it, the owner of its SOA record.
 * @returns The zone, or the mistakes.
 */
export function zoneOfFile(
  file: string,
  records: readonly FileRecord[],
  zone?: DnsName,
): FileZone | { readonly problems: readonly FileProblem[] } {
  const apex = zone ?? records.find(({ type }) => type === TYPE.SOA)?.owner;
  if (apex === undefined) {
    const message = "the file has no SOA record, which would say what its zone is";
    return { problems: [{ file, line: 1, column: 1, message, hint: "Give --zone NAME." }] };
  }
  const problems: FileProblem[] = [];
  const kept: Placed[] = [];
  for (const at of records) {
    const record = placed(apex, at);
    if ("message" in record) problems.push(record);
    else kept.push({ record, at });
  }
  const sets = Map.groupBy(kept, ({ record }) => `${nameKey(record.owner)} ${record.type}`);
  problems.push(...contradictions(kept, sets));
  if (problems.length > 0) return { problems };
  return { apex, ...settled([...sets.values()]) };
}

interface Placed {
  readonly record: ZoneRecord;
  readonly at: FileRecord;
}

function placed(apex: DnsName, at: FileRecord): ZoneRecord | FileProblem {
  if (!isWithin(at.owner, apex)) {
    const message = `${formatDnsName(at.owner)} is not in the zone ${formatDnsName(apex)}`;
    return problemAt(at, message, "Remove the line, or import it with the zone that it is of.");
  }
  try {
    const record = zoneRecordOf(apex, at.owner, at.type, at.ttl, at.rdata);
    if (zoneRecordKey(record).length <= MAX_KEY_BYTES) return record;
    return problemAt(at, "the name has too many characters other than letters and digits");
  } catch (error) {
    if (error instanceof PleachError) return problemAt(at, error.message, error.hint);
    throw error;
  }
}

function problemAt(at: FileRecord, message: string, hint?: string): FileProblem {
  return { file: at.file, line: at.line, column: at.column, message, hint };
}

/** Two different records of a type of which a name has one, and aliases beside other data. */
function contradictions(
  kept: readonly Placed[],
  sets: ReadonlyMap<string, readonly Placed[]>,
): FileProblem[] {
  const problems: FileProblem[] = [];
  for (const set of sets.values()) {
    const [first] = set;
    if (first === undefined || !isSingleType(first.record.type)) continue;
    const other = set.find((each) => !sameData(each, first));
    if (other === undefined) continue;
    const title = `${formatDnsName(first.record.owner)} has two ${formatType(first.record.type)} records`;
    problems.push(problemAt(other.at, title, `Keep this one or that of line ${first.at.line}.`));
  }
  const aliases = kept.filter(({ record }) => record.type === TYPE.CNAME);
  const names = new Map(aliases.map((each) => [nameKey(each.record.owner), each]));
  for (const { record, at } of kept) {
    const alias = record.type === TYPE.CNAME ? undefined : names.get(nameKey(record.owner));
    if (alias === undefined) continue;
    names.delete(nameKey(record.owner));
    const what = `${formatDnsName(record.owner)} has a CNAME and a ${formatType(record.type)} record`;
    const lines = `Keep line ${alias.at.line} or line ${at.line}: a CNAME stands alone.`;
    problems.push(problemAt(alias.at, what, lines));
  }
  return problems.toSorted((a, b) => a.line - b.line);
}

function sameData(a: Placed, b: Placed): boolean {
  return Buffer.compare(a.record.rdata, b.record.rdata) === 0;
}

function settled(sets: readonly (readonly Placed[])[]): Omit<FileZone, "apex"> {
  const records: ZoneRecord[] = [];
  const notes: string[] = [];
  for (const set of sets) {
    const ttl = Math.min(...set.map(({ record }) => record.ttl));
    const [first] = set;
    if (first !== undefined && set.some(({ record }) => record.ttl !== ttl)) {
      const what = `${formatType(first.record.type)} of ${formatDnsName(first.record.owner)}`;
      notes.push(`${what} has several TTLs; all get the least, ${ttl} s (RFC 2181).`);
    }
    const each = new Map(set.map(({ record }) => [zoneRecordKey(record), { ...record, ttl }]));
    records.push(...each.values());
  }
  return { records, notes };
}
