/**
 * What has to be done to a zone so that it says what a file says.
 *
 * Records that follow from the inventory are not written by hand because a file repeats them, and
 * not removed because it lacks them. The serial of a SOA is no difference.
 */
import { formatDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../../protocol/dns/rdata.ts";
import { isSingleType, type ZoneRecord } from "../../../protocol/dns/zone-record.ts";

/** A record as text; the name absolute. */
export interface TextLine {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly data: string;
}

/** A record of the zone as it is served. */
export interface ServedLine extends TextLine {
  /** By a person, not derived from the inventory. */
  readonly written: boolean;
}

export interface ZoneDifference {
  /** To write: new records, and those that get another TTL. */
  readonly puts: readonly TextLine[];
  /** To remove. Never the SOA. */
  readonly removes: readonly TextLine[];
  /** What `puts` take the place of: the same records with another TTL, the SOA or alias before. */
  readonly replaced: readonly TextLine[];
  /** Of the file, and so already. */
  readonly sameCount: number;
  /** Names that the file and the zone give an alias and other records: nothing may be written. */
  readonly aliased: readonly string[];
}

/**
 * @param replace - Whether what the file lacks is removed; else it stays beside what it brings.
 */
export function zoneDifference(
  served: readonly ServedLine[],
  file: readonly ZoneRecord[],
  replace: boolean,
): ZoneDifference {
  const wanted = new Map(file.map((record) => [identity(textLine(record)), textLine(record)]));
  const there = new Map(served.map((line) => [identity(line), line]));
  const sets = new Map([...wanted.values()].map((line) => [setOf(line), line.ttl]));
  const puts: TextLine[] = [];
  const replaced: TextLine[] = [];
  const removes: TextLine[] = [];
  let sameCount = 0;
  for (const [key, line] of wanted) {
    const old = there.get(key);
    if (old === undefined) puts.push(line);
    else if (old.written && old.ttl !== line.ttl) {
      puts.push(line);
      replaced.push(old);
    } else sameCount += 1;
  }
  for (const [key, line] of there) {
    const ttl = sets.get(setOf(line));
    if (wanted.has(key) || !line.written) continue;
    if (ttl !== undefined && isSingleType(parseType(line.type))) replaced.push(line);
    else if (replace && line.type !== "SOA") removes.push(line);
    else if (ttl !== undefined && ttl !== line.ttl) {
      puts.push({ ...line, ttl });
      replaced.push(line);
    }
  }
  const aliased = aliasesBesideData(served, puts, [...removes, ...replaced]);
  return { puts, removes, replaced, sameCount, aliased };
}

export function textLine({ owner, type, ttl, rdata }: ZoneRecord): TextLine {
  return {
    name: formatDnsName(owner),
    type: formatType(type),
    ttl,
    data: formatRdata(type, rdata),
  };
}

function identity({ name, type, data }: TextLine): string {
  if (type !== "SOA") return `${name} ${type} ${data}`;
  const fields = data.split(" ");
  return [name, type, ...fields.slice(0, 2), ...fields.slice(3)].join(" ");
}

function setOf({ name, type }: TextLine): string {
  return `${name} ${type}`;
}

/** Names that would have an alias beside other records written by a person. */
function aliasesBesideData(
  served: readonly ServedLine[],
  puts: readonly TextLine[],
  gone: readonly TextLine[],
): string[] {
  const left = new Set(gone);
  const names = new Map<string, { alias: boolean; data: boolean }>();
  for (const line of [...served.filter((each) => each.written && !left.has(each)), ...puts]) {
    const at = names.get(line.name) ?? { alias: false, data: false };
    if (line.type === "CNAME") at.alias = true;
    else at.data = true;
    names.set(line.name, at);
  }
  return [...names].filter(([, { alias, data }]) => alias && data).map(([name]) => name);
}

/** The difference as lines that begin with `-` and `+`, by name. */
export function differenceLines({ puts, removes, replaced }: ZoneDifference): string[] {
  const rows = [
    ...[...removes, ...replaced].map((line) => ({ line, sign: "-" })),
    ...puts.map((line) => ({ line, sign: "+" })),
  ];
  const key = ({ line, sign }: (typeof rows)[number]) =>
    `${line.name.split(".").toReversed().join(".")} ${line.type} ${sign === "-" ? 0 : 1} ${line.data}`;
  return rows
    .map((row) => [key(row), row] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, { line, sign }]) => `${sign} ${line.name} ${line.ttl} IN ${line.type} ${line.data}`);
}
