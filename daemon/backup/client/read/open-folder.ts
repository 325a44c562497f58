/**
 * A directory whose backup is under way: it counts what is still to come, and is done when its
 * files were read and its directories are done.
 */
import { closeSync } from "node:fs";
import type { DirectoryEntry, TreeEntry } from "../../../../protocol/backup/tree.ts";
import type { CachedDirectory } from "./walk-cache.ts";

export class OpenFolder {
  /** Absolute; a byte is a character, so that any name has a text. `/` is empty. */
  readonly path: string;
  /** Descriptor; undefined for a directory that only leads to a path. */
  readonly fd: number | undefined;
  readonly parent: OpenFolder | undefined;
  /** Where this directory stands in its parent. */
  readonly slot: number;
  /** The directory itself, as its parent will list it. Undefined for `/`. */
  readonly entry: DirectoryEntry | undefined;
  readonly cached: CachedDirectory | undefined;
  /** By name; a slot stays empty when its file could not be read. */
  readonly entries: (TreeEntry | undefined)[] = [];
  readonly #onDone: (folder: OpenFolder) => void;
  /** The walk itself counts as one. */
  #pending = 1;

  constructor(
    facts: Pick<OpenFolder, "path" | "fd" | "parent" | "slot" | "entry" | "cached">,
    onDone: (folder: OpenFolder) => void,
  ) {
    this.path = facts.path;
    this.fd = facts.fd;
    this.parent = facts.parent;
    this.slot = facts.slot;
    this.entry = facts.entry;
    this.cached = facts.cached;
    this.#onDone = onDone;
  }

  /** A new slot, empty until {@link settle}. */
  expect(): number {
    this.#pending += 1;
    return this.entries.push(undefined) - 1;
  }

  /** A slot that is complete at once. */
  add(entry: TreeEntry): void {
    this.entries.push(entry);
  }

  /** Fills an expected slot; with undefined it stays empty. */
  settle(slot: number, entry: TreeEntry | undefined): void {
    this.entries[slot] = entry;
    this.#finishOne();
  }

  /** The walk has seen every name. */
  walked(): void {
    this.#finishOne();
  }

  /** The path of a name in here, for people and for patterns. */
  childPath(name: Uint8Array): string {
    return `${this.path}/${Buffer.from(name).toString("latin1")}`;
  }

  #finishOne(): void {
    this.#pending -= 1;
    if (this.#pending > 0) return;
    if (this.fd !== undefined) closeSync(this.fd);
    this.#onDone(this);
  }
}
