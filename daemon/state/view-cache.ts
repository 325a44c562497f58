/**
 * Keeps the merged view of each class until something in it changes.
 */
import type { Authority } from "../core/authority/authority.ts";
import {
  isOf,
  mergeAgain,
  mergeClass,
  viewHash,
  type Candidate,
  type ClassView,
  type RecordName,
} from "../core/logs/merge.ts";
import type { ConflictedRecord, View, ViewEntry } from "../core/logs/view.ts";
import type { SiteId } from "../../protocol/ids.ts";
import {
  isSharedClass,
  RECORD_CLASSES,
  type ClassName,
  type RecordClass,
} from "../../protocol/logs/record-class.ts";
import type { EndedRights } from "./limits/ended-rights.ts";
import type { Shelf } from "./shelf.ts";

/** When more records than this have changed, all are merged again. Some logs begin anew with all of theirs. */
const MAX_CHANGED = 10_000;

export class ViewCache {
  readonly #classes = new Map<ClassName, ClassView>();
  /** Records of kept classes that have changed since, by what groups their versions. */
  readonly #changed = new Map<ClassName, Map<string, RecordName>>();
  #view: View | undefined;

  /** Records that this author has written are to be merged again. */
  forgetRecords(name: ClassName, author: SiteId, keys: Iterable<string>): void {
    const changed = this.#changed.get(name) ?? new Map<string, RecordName>();
    this.#changed.set(name, changed);
    const owner = isSharedClass(name) ? undefined : author;
    for (const key of keys) changed.set(`${owner ?? ""}${key}`, { key, author: owner });
    if (changed.size > MAX_CHANGED) this.forget(name);
    this.#view = undefined;
  }

  forget(name: ClassName): void {
    this.#classes.delete(name);
    this.#changed.delete(name);
    this.#view = undefined;
  }

  forgetAll(): void {
    this.#classes.clear();
    this.#changed.clear();
    this.#view = undefined;
  }

  view(shelf: Shelf, rights: EndedRights, authority: Authority): View {
    this.#view ??= new MergedView(
      new Map(RECORD_CLASSES.map((each) => [each, this.#class(each, shelf, rights, authority)])),
    );
    return this.#view;
  }

  #class(
    recordClass: RecordClass,
    shelf: Shelf,
    rights: EndedRights,
    authority: Authority,
  ): ClassView {
    const known = this.#classes.get(recordClass);
    const changed = this.#changed.get(recordClass);
    if (known !== undefined && changed === undefined) return known;
    const valid = (candidates: readonly Candidate[]): Candidate[] =>
      candidates.filter(({ author, key }) => authority.mayWrite(author, recordClass, key));
    const ended = rights.candidates(recordClass);
    const found = new Map(
      [...Map.groupBy(changed?.values() ?? [], ({ author }) => author)].map(([author, names]) => {
        const keys = new Set(names.map(({ key }) => key));
        return [author, shelf.candidatesOf(recordClass, keys, author)];
      }),
    );
    const of = (name: RecordName): Candidate[] => [
      ...valid(found.get(name.author)?.get(name.key) ?? []),
      ...ended.filter(({ key, author }) => isOf(name, key, author)),
    ];
    const merged =
      known === undefined || changed === undefined
        ? mergeClass(recordClass, [...valid(shelf.candidates(recordClass)), ...ended])
        : mergeAgain(recordClass, known, changed.values(), of);
    this.#classes.set(recordClass, merged);
    this.#changed.delete(recordClass);
    return merged;
  }
}

class MergedView implements View {
  readonly #classes: ReadonlyMap<RecordClass, ClassView>;

  constructor(classes: ReadonlyMap<RecordClass, ClassView>) {
    this.#classes = classes;
  }

  get hash(): string {
    return viewHash([...this.#classes.values()].map(({ hash }) => hash));
  }

  entries(recordClass: RecordClass, keyPrefix = ""): readonly ViewEntry[] {
    const all = this.#classes.get(recordClass)?.entries ?? [];
    if (keyPrefix === "") return all;
    const start = firstAtLeast(all, keyPrefix);
    let end = start;
    while (all[end]?.key.startsWith(keyPrefix) === true) end++;
    return all.slice(start, end);
  }

  conflicts(recordClass: RecordClass): readonly ConflictedRecord[] {
    return this.#classes.get(recordClass)?.conflicts ?? [];
  }

  get(recordClass: RecordClass, key: string, author?: ViewEntry["author"]): ViewEntry | undefined {
    const all = this.#classes.get(recordClass)?.entries ?? [];
    for (let at = firstAtLeast(all, key); at < all.length; at++) {
      const entry = all[at];
      if (entry?.key !== key) return undefined;
      if (author === undefined || entry.author === author) return entry;
      // A shared key has one entry, shown under its newest author.
    }
    return undefined;
  }
}

/** The place of the first entry whose key is not below `key`. */
function firstAtLeast(entries: readonly ViewEntry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && entry.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
