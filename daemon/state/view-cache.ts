/**
 * Keeps the merged view of each class until something in it changes.
 */
import type { Authority } from "../core/authority.ts";
import { mergeClass, viewHash, type ClassView } from "../core/merge.ts";
import type { ConflictedRecord, View, ViewEntry } from "../core/view.ts";
import { RECORD_CLASSES, type ClassName, type RecordClass } from "../../protocol/record-class.ts";
import type { EndedRights } from "./limits/ended-rights.ts";
import type { Shelf } from "./shelf.ts";

export class ViewCache {
  readonly #classes = new Map<ClassName, ClassView>();
  #view: View | undefined;

  forget(name: ClassName): void {
    this.#classes.delete(name);
    this.#view = undefined;
  }

  forgetAll(): void {
    this.#classes.clear();
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
    if (known !== undefined) return known;
    const valid = shelf
      .candidates(recordClass)
      .filter(({ author, key }) => authority.mayWrite(author, recordClass, key));
    const merged = mergeClass(recordClass, [...valid, ...rights.candidates(recordClass)]);
    this.#classes.set(recordClass, merged);
    return merged;
  }
}

class MergedView implements View {
  readonly hash: string;
  readonly #classes: ReadonlyMap<RecordClass, ClassView>;

  constructor(classes: ReadonlyMap<RecordClass, ClassView>) {
    this.#classes = classes;
    this.hash = viewHash([...classes.values()].map(({ hash }) => hash));
  }

  entries(recordClass: RecordClass, keyPrefix = ""): readonly ViewEntry[] {
    const all = this.#classes.get(recordClass)?.entries ?? [];
    if (keyPrefix === "") return all;
    const start = firstAtLeast(all, keyPrefix);
    const rest = all.slice(start);
    const end = rest.findIndex(({ key }) => !key.startsWith(keyPrefix));
    return end === -1 ? rest : rest.slice(0, end);
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
