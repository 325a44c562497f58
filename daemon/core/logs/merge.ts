/**
 * Merges the versions of records from all valid logs into what people see.
 *
 * A version that another valid version names as replaced is dropped. Of what is left the highest
 * (Lamport number, author, id) is shown, and the others are its conflicts. So the outcome depends
 * on the set of versions alone, and when an author's versions go, what only they had replaced
 * comes back.
 */
import { encodeCbor, type CborValue } from "../../../protocol/encoding/cbor.ts";
import {
  idBytes,
  sha256,
  toHex,
  type LogId,
  type SiteId,
  type VersionId,
} from "../../../protocol/ids.ts";
import { isSharedClass, type RecordClass } from "../../../protocol/logs/record-class.ts";
import type { RecordVersion } from "../../../protocol/logs/record-version.ts";
import type { ConflictedRecord, StandingVersion, ViewEntry } from "./view.ts";

/** One version that counts, and where it stands. */
export interface Candidate extends RecordVersion {
  readonly id: VersionId;
  readonly key: string;
  readonly author: SiteId;
  readonly log: LogId;
  readonly seq: number;
}

/** The part of the view that one class makes. */
export class ClassView {
  /** Sorted by key, then author. */
  readonly entries: readonly ViewEntry[];
  /** In the same order; those that are shown as deleted are among them. */
  readonly conflicts: readonly ConflictedRecord[];
  readonly #class: RecordClass;
  #hash: Uint8Array | undefined;

  constructor(
    recordClass: RecordClass,
    entries: readonly ViewEntry[],
    conflicts: readonly ConflictedRecord[],
  ) {
    this.#class = recordClass;
    this.entries = entries;
    this.conflicts = conflicts;
  }

  /** 32 bytes over the entries and their conflicts. Made when somebody asks: it takes a while. */
  get hash(): Uint8Array {
    const named = (): CborValue[] =>
      this.entries.map((entry) => [
        entry.key,
        idBytes(entry.versionId),
        entry.conflicts.map((conflict) => idBytes(conflict.versionId)),
      ]);
    this.#hash ??= sha256(encodeCbor([this.#class, named()]));
    return this.#hash;
  }
}

/**
 * @param candidates - In any order; the same version may come from two logs.
 */
export function mergeClass(recordClass: RecordClass, candidates: Iterable<Candidate>): ClassView {
  const shared = isSharedClass(recordClass);
  const groups = Map.groupBy(candidates, ({ key, author }) => (shared ? key : `${author}${key}`));
  const entries: ViewEntry[] = [];
  const conflicts: ConflictedRecord[] = [];
  for (const group of groups.values()) {
    const { entry, conflict } = mergeRecord(recordClass, group);
    if (entry !== undefined) entries.push(entry);
    if (conflict !== undefined) conflicts.push(conflict);
  }
  entries.sort(compareEntries);
  conflicts.sort(compareConflicts);
  return new ClassView(recordClass, entries, conflicts);
}

/** A record by its key; in classes where each site has its own keys, with its author. */
export interface RecordName {
  readonly key: string;
  readonly author: SiteId | undefined;
}

/**
 * The same as merging everything again, when only these records have changed.
 *
 * @param candidatesOf - All versions of one of them that count now.
 */
export function mergeAgain(
  recordClass: RecordClass,
  before: ClassView,
  changed: Iterable<RecordName>,
  candidatesOf: (record: RecordName) => readonly Candidate[],
): ClassView {
  const names = [...changed];
  const keys = new Set(names.map(({ key }) => key));
  const conflicts = before.conflicts.filter(({ key }) => !keys.has(key));
  // A conflict does not name the author of its record: all of a touched key are made again.
  for (const conflict of before.conflicts) {
    if (!keys.has(conflict.key)) continue;
    if (!names.some((name) => isOf(name, conflict.key, authorOf(conflict)))) {
      conflicts.push(conflict);
    }
  }
  const made: ViewEntry[] = [];
  for (const name of names) {
    const { entry, conflict } = mergeRecord(recordClass, candidatesOf(name));
    if (conflict !== undefined) conflicts.push(conflict);
    if (entry !== undefined) made.push(entry);
  }
  const gone = names.flatMap((name) => placeOf(before.entries, name) ?? []);
  const entries = exchanged(before.entries, gone, made);
  return new ClassView(recordClass, entries, conflicts.toSorted(compareConflicts));
}

/** The entries without those at the places in `gone`, and with others, in their order again. */
function exchanged(
  entries: readonly ViewEntry[],
  gone: readonly number[],
  made: readonly ViewEntry[],
): readonly ViewEntry[] {
  const isGone = new Set(gone);
  const all: ViewEntry[] = [];
  let at = 0;
  const copyUntil = (end: number): void => {
    for (; at < end; at++) {
      const entry = entries[at];
      if (entry !== undefined && !isGone.has(at)) all.push(entry);
    }
  };
  for (const entry of made.toSorted(compareEntries)) {
    copyUntil(firstPlace(entries, entry));
    all.push(entry);
  }
  copyUntil(entries.length);
  return all;
}

/** Whether a version under this key, by this author, is one of the record. */
export function isOf(name: RecordName, key: string, author: string): boolean {
  return name.key === key && (name.author === undefined || name.author === author);
}

function placeOf(entries: readonly ViewEntry[], name: RecordName): number | undefined {
  const at = firstPlace(entries, { key: name.key, author: name.author ?? "" });
  const found = entries[at];
  return found !== undefined && isOf(name, found.key, found.author) ? at : undefined;
}

/** Where the first entry stands that does not come before this one. */
function firstPlace(entries: readonly ViewEntry[], of: Readonly<Record<"key" | "author", string>>) {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && compareEntries(entry, of) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function mergeRecord(
  recordClass: RecordClass,
  group: readonly Candidate[],
): { readonly entry: ViewEntry | undefined; readonly conflict: ConflictedRecord | undefined } {
  const standing = standingOf(group);
  const [shown, ...others] = standing;
  if (shown === undefined) return { entry: undefined, conflict: undefined };
  const { key, author, value, lamport, id, log, seq } = shown;
  const versions = others.length > 0 ? standing.map(versionOf) : undefined;
  const conflict = versions && { class: recordClass, key, versions };
  if (value === undefined) return { entry: undefined, conflict };
  const at = { class: recordClass, key, author, value, lamport, versionId: id, log, seq };
  const conflicts = others.length > 0 ? others.map(versionOf) : NO_CONFLICTS;
  return { entry: { ...at, conflicts }, conflict };
}

/** Nearly all records have none, so they share this. */
const NO_CONFLICTS: readonly StandingVersion[] = [];

function compareEntries(
  a: Readonly<Record<"key" | "author", string>>,
  b: Readonly<Record<"key" | "author", string>>,
): number {
  return compareText(a.key, b.key) || compareText(a.author, b.author);
}

function compareConflicts(a: ConflictedRecord, b: ConflictedRecord): number {
  return compareText(a.key, b.key) || compareText(authorOf(a), authorOf(b));
}

/** The hash of a whole view from those of its classes, in their fixed order. */
export function viewHash(classHashes: readonly Uint8Array[]): string {
  return toHex(sha256("pleach/view/1\0", ...classHashes));
}

/** The versions of one record that no other replaces, the one that is shown first. */
function standingOf(group: readonly Candidate[]): readonly Candidate[] {
  const [only] = group;
  // Of one version nothing has to be found out, unless it names itself, which no hash can.
  if (only !== undefined && group.length === 1) return group;
  const superseded = new Set(group.flatMap(({ supersedes }) => supersedes));
  const left = new Map<VersionId, Candidate>();
  for (const candidate of group) {
    if (superseded.has(candidate.id)) continue;
    const same = left.get(candidate.id);
    // One version in two logs: which of them is shown must not depend on the order of arrival.
    if (same === undefined || candidate.log < same.log) left.set(candidate.id, candidate);
  }
  return [...left.values()].toSorted((a, b) => -compareVersions(a, b));
}

function versionOf({ author, value, id, log, seq }: Candidate): StandingVersion {
  return { author, value, versionId: id, log, seq };
}

function authorOf({ versions: [first] }: ConflictedRecord): string {
  return first?.author ?? "";
}

export function compareVersions(
  a: Pick<Candidate, "lamport" | "author" | "id">,
  b: Pick<Candidate, "lamport" | "author" | "id">,
): number {
  return a.lamport - b.lamport || compareText(a.author, b.author) || compareText(a.id, b.id);
}

/** By UTF-16 code units: the same on every machine, whatever its language. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
