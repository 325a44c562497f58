/**
 * Merges the versions of records from all valid logs into what people see.
 *
 * A version that another valid version names as replaced is dropped. Of what is left the highest
 * (Lamport number, author, id) is shown, and the others are its conflicts. So the outcome depends
 * on the set of versions alone, and when an author's versions go, what only they had replaced
 * comes back.
 */
import { encodeCbor } from "../../protocol/cbor.ts";
import {
  idBytes,
  sha256,
  toHex,
  type LogId,
  type SiteId,
  type VersionId,
} from "../../protocol/ids.ts";
import { isSharedClass, type RecordClass } from "../../protocol/record-class.ts";
import type { RecordVersion } from "../../protocol/record-version.ts";
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
export interface ClassView {
  /** Sorted by key, then author. */
  readonly entries: readonly ViewEntry[];
  /** In the same order; those that are shown as deleted are among them. */
  readonly conflicts: readonly ConflictedRecord[];
  /** 32 bytes over the entries and their conflicts. */
  readonly hash: Uint8Array;
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
    const standing = standingOf(group);
    const [shown, ...others] = standing;
    if (shown === undefined) continue;
    const { key, author, value, lamport, id, log, seq } = shown;
    if (others.length > 0) {
      conflicts.push({ class: recordClass, key, versions: standing.map(versionOf) });
    }
    if (value === undefined) continue;
    const at = { class: recordClass, key, author, value, lamport, versionId: id, log, seq };
    entries.push({ ...at, conflicts: others.map(versionOf) });
  }
  entries.sort((a, b) => compareText(a.key, b.key) || compareText(a.author, b.author));
  conflicts.sort((a, b) => compareText(a.key, b.key) || compareText(authorOf(a), authorOf(b)));
  const named = entries.map((entry) => [
    entry.key,
    idBytes(entry.versionId),
    entry.conflicts.map((conflict) => idBytes(conflict.versionId)),
  ]);
  return { entries, conflicts, hash: sha256(encodeCbor([recordClass, named])) };
}

/** The hash of a whole view from those of its classes, in their fixed order. */
export function viewHash(classHashes: readonly Uint8Array[]): string {
  return toHex(sha256("pleach/view/1\0", ...classHashes));
}

/** The versions of one record that no other replaces, the one that is shown first. */
function standingOf(group: readonly Candidate[]): readonly Candidate[] {
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
