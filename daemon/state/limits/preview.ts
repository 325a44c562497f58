/**
 * What would be shown otherwise if the logs of a site ended at given heads, for people who are about
 * to decide it.
 */
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import {
  isSharedClass,
  RECORD_CLASSES,
  type ClassName,
  type RecordClass,
} from "../../../protocol/logs/record-class.ts";
import type { Authority, LogEnd } from "../../core/authority/authority.ts";
import { mergeClass, type Candidate } from "../../core/logs/merge.ts";
import type { View, ViewEntry } from "../../core/logs/view.ts";
import type { Documents } from "../documents.ts";
import type { Shelf } from "../shelf.ts";
import type { EndedRights } from "./ended-rights.ts";
import { stoodAt } from "./stood-at.ts";

export interface CutRequest {
  readonly site: SiteId;
  /** Default: all. */
  readonly classes?: readonly ClassName[] | undefined;
  /** Logs that are not named end before their first entry. */
  readonly ends: readonly LogHead[];
}

/** A record that would be another one, or none. */
export interface ChangedRecord {
  readonly class: RecordClass;
  readonly key: string;
  readonly effect: "vanishes" | "returns";
}

interface Held {
  readonly shelf: Shelf;
  readonly documents: Documents;
  readonly rights: EndedRights;
  readonly authority: Authority;
  readonly view: View;
}

/** Sorted by class and key. */
export async function previewCut(
  { shelf, documents, rights, authority, view }: Held,
  { site, classes, ends }: CutRequest,
): Promise<readonly ChangedRecord[]> {
  const heads = new Map<LogId, LogEnd>(ends.map(({ log, seq, head }) => [log, { seq, head }]));
  const changed: ChangedRecord[] = [];
  for (const recordClass of RECORD_CLASSES) {
    if (classes !== undefined && !classes.includes(recordClass)) continue;
    const mayWrite = ({ author, key }: Candidate): boolean =>
      authority.mayWrite(author, recordClass, key);
    const others = [
      ...shelf.candidates(recordClass).filter(mayWrite),
      ...rights.candidates(recordClass),
    ];
    const stood = await stoodAt(shelf, documents, { site, class: recordClass }, heads);
    const then = mergeClass(recordClass, [
      ...others.filter(({ author }) => author !== site),
      ...stood.filter(mayWrite),
    ]);
    changed.push(...differences(view.entries(recordClass), then.entries));
  }
  return changed;
}

/** Of records that would only appear, there was a deletion that is cut: they return, too. */
function differences(now: readonly ViewEntry[], then: readonly ViewEntry[]): ChangedRecord[] {
  const shown = new Map(now.map((entry) => [nameOf(entry), entry]));
  const changed: ChangedRecord[] = [];
  for (const entry of then) {
    const before = shown.get(nameOf(entry));
    shown.delete(nameOf(entry));
    if (before?.versionId === entry.versionId) continue;
    changed.push({ class: entry.class, key: entry.key, effect: "returns" });
  }
  for (const entry of shown.values()) {
    changed.push({ class: entry.class, key: entry.key, effect: "vanishes" });
  }
  return changed.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** A shared key has one record, whoever wrote it last; of own classes each site has its own. */
function nameOf({ class: recordClass, key, author }: ViewEntry): string {
  return isSharedClass(recordClass) ? key : `${author}/${key}`;
}
