/**
 * Which of two versions of one record by one site is the later one.
 */
import type { VersionId } from "../../../protocol/ids.ts";
import type { RecordVersion } from "../../../protocol/logs/record-version.ts";

export type NamedVersion = RecordVersion & { readonly id: VersionId };

export function isNewer(a: NamedVersion, b: NamedVersion): boolean {
  if (a.supersedes.includes(b.id)) return true;
  if (b.supersedes.includes(a.id)) return false;
  return a.lamport > b.lamport || (a.lamport === b.lamport && a.id > b.id);
}
