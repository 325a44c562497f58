/**
 * What has to be done to a zone so that it says what a file says.
 *
 * Records that follow from the inventory are not written by hand because a file repeats them, and
 * not removed because it lacks them. The serial of a SOA is no difference.
 *
 * A file may be of a view. What the view shows from a less specific one as the file says it, is not
 * written again; a set of records of which the file says anything else is written as a whole,
 * because it hides the one below.
 */
import { formatDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../../protocol/dns/rdata.ts";
import type { Relation } from "./name-lines.ts";
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
  /** How it stands to the place that the file is for. */
  readonly at: Relation;
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
  /** The file's SOA, when it says something else than that of a less specific view, which stays. */
  readonly otherSoa: TextLine | undefined;
  /** Records of less specific views that the file lacks: only their own view can remove them. */
  readonly staying: readonly TextLine[];
}

/**
 * @param replace - Whether what the file lacks is removed; else it stays beside what it brings.
 */
export function zoneDifference(
  served: readonly ServedLine[],
  file: readonly ZoneRecord[],
  replace: boolean,
): ZoneDifference {
  const own = served.filter(({ at }) => at === "here");
  const fileSets = Map.groupBy(file.map(textLine), setOf);
  const below = Map.groupBy(
    served.filter(({ at }) => at === "below"),
    setOf,
  );
  const said = [...fileSets].flatMap(([set, lines]) => {
    const under = below.get(set);
    return under !== undefined && showsSame(under, lines) ? lines : [];
  });
  const isSaid = new Set(said);
  const wanted = new Map(
    [...fileSets.values()]
      .flat()
      .filter((line) => !isSaid.has(line))
      .map((line) => [identity(line), line]),
  );
  const there = new Map(own.map((line) => [identity(line), line]));
  const sets = new Map([...wanted.values()].map((line) => [setOf(line), line.ttl]));
  const puts: TextLine[] = [];
  const replaced: TextLine[] = [];
  const removes: TextLine[] = [];
  let sameCount = said.length;
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
  const lacked = [...below].filter(([set]) => replace && !fileSets.has(set));
  const soa = said.find(({ type }) => type === "SOA");
  const isOther = soa && !below.get(setOf(soa))?.some((line) => identity(line) === identity(soa));
  return {
    ...{ puts, removes, replaced, sameCount, aliased },
    otherSoa: isOther === true ? soa : undefined,
    staying: lacked.flatMap(([, lines]) => lines.filter(({ written }) => written)),
  };
}

/** Whether a set of the file needs no writing over the one that shows through. A zone has one SOA. */
function showsSame(under: readonly ServedLine[], lines: readonly TextLine[]): boolean {
  if (lines.some(({ type }) => type === "SOA")) return true;
  const shown = new Map(under.map((line) => [identity(line), line]));
  if (shown.size !== lines.length) return false;
  return lines.every((line) => {
    const same = shown.get(identity(line));
    return same !== undefined && (!same.written || same.ttl === line.ttl);
  });
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

/**
 * Names that would have an alias beside other records written by a person, where a view shows both:
 * an alias here over records of less specific views, or something new under an alias above.
 */
function aliasesBesideData(
  served: readonly ServedLine[],
  puts: readonly TextLine[],
  gone: readonly TextLine[],
): string[] {
  const left = new Set(gone);
  const written = served.filter((line) => line.written && !left.has(line));
  const namesOf = (lines: readonly TextLine[], isAlias: boolean): Set<string> =>
    new Set(lines.filter(({ type }) => (type === "CNAME") === isAlias).map(({ name }) => name));
  const here = [...written.filter(({ at }) => at === "here"), ...puts];
  const aliases = namesOf(here, true);
  const data = namesOf([...here, ...written.filter(({ at }) => at === "below")], false);
  const above = namesOf(
    written.filter(({ at }) => at === "above"),
    true,
  );
  const added = namesOf(puts, false);
  const names = new Set([...served, ...puts].map(({ name }) => name));
  return [...names].filter(
    (name) => (aliases.has(name) && data.has(name)) || (above.has(name) && added.has(name)),
  );
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
