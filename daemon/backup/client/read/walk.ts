/**
 * Walks the paths of a data set and gathers their trees.
 *
 * Every directory is opened relative to its parent and without following a link, so nobody can
 * lead the walk elsewhere by swapping a directory while it runs. Names are sorted, so two walks
 * of the same files give the same trees. What cannot be read is listed and left out.
 */
import { lstatSync, readdirSync, type BigIntStats } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { KeyObject } from "node:crypto";
import { chunkIdOf } from "../../../../protocol/backup/chunk.ts";
import { encodeTrees } from "../../../../protocol/backup/tree-encode.ts";
import type { DirectoryEntry, FileEntry, TreeEntry } from "../../../../protocol/backup/tree.ts";
import { fitsTree } from "./content-plan.ts";
import type { FileQueue } from "./file-queue.ts";
import { HardLinks, type ReadOutcome } from "./hard-links.ts";
import { OpenFolder } from "./open-folder.ts";
import type { PathPlan } from "./path-plan.ts";
import { fileEntry, isUnchanged, kindOf, plainEntry, sameEntry } from "./stat-entry.ts";
import { readXattrs } from "../system-calls.ts";
import type { WalkCache, WalkCacheWriter } from "./walk-cache.ts";
import {
  codeOf,
  directoryEntry,
  keyOf,
  openFolder,
  openLead,
  safeXattrs,
  shown,
  stepAt,
} from "./walk-paths.ts";
import type { TaggedChunk } from "../seal/worker-message.ts";

/** st_blocks counts in this unit, whatever the file system. */
const BLOCK_BYTES = 512;
/** The main thread also stores shards: it must not walk longer than this at a stretch. */
const STRETCH_MS = 8;

export interface WalkPort {
  readonly queue: FileQueue;
  /** Whether a chunk is known already. */
  readonly known: (id: Uint8Array) => boolean;
  /** Takes a tree chunk, which may be known. */
  readonly onTree: (chunk: TaggedChunk) => void;
  readonly treeKey: KeyObject;
  readonly cache: WalkCache | undefined;
  readonly cacheWriter: WalkCacheWriter;
  /** Whether a path (its bytes as characters) is left out. */
  readonly excluded: (path: string) => boolean;
  /** Of a file system that is mounted below a path only the empty directory is kept. */
  readonly oneFileSystem: boolean;
  /** Grow while it runs. */
  readonly figures: WalkFigures;
}

export interface Unreadable {
  /** For people: bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** Such as `EACCES`. */
  readonly reason: string;
}

/** Figures of a walk, which grow while it runs. */
export interface WalkFigures {
  /** Regular files, and their bytes. */
  files: number;
  bytes: number;
  /** Room that they take on disk. */
  roomBytes: number;
  /** Those that had to be read. */
  readFiles: number;
  readBytes: number;
  readonly unreadable: Unreadable[];
  readonly changed: string[];
}

/** Nothing yet. */
export function noFigures(): WalkFigures {
  const counts = { files: 0, bytes: 0, roomBytes: 0, readFiles: 0, readBytes: 0 };
  return { ...counts, unreadable: [], changed: [] };
}

export class Walk {
  readonly #port: WalkPort;
  readonly #links = new HardLinks();
  /** Device of the path that is walked now. */
  #device: bigint | undefined;
  #root: Uint8Array | undefined;
  #pausedAtMs = performance.now();

  constructor(port: WalkPort) {
    this.#port = port;
  }

  /** @returns The chunk ids of the tree of `/`. */
  async run(plan: PathPlan): Promise<Uint8Array> {
    const root = this.#open("", undefined, 0, undefined, openLead("/", "/"));
    if (plan.below === undefined) {
      this.#device = lstatSync("/", { bigint: true }).dev;
      await this.#walk(root);
    } else await this.#lead(root, plan.below);
    await this.#port.queue.drain();
    if (this.#root === undefined) throw new Error("A directory never came to its end.");
    return this.#root;
  }

  /**
   * A directory that leads to paths: only the next steps are looked at. Links to directories are
   * followed on the way and at the end of it: the administrator wrote the path.
   */
  async #lead(folder: OpenFolder, below: readonly PathPlan[]): Promise<void> {
    for (const { name, below: next } of below) {
      const path = Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), name]);
      const shownPath = shown(folder.childPath(name));
      const { stat, lstat } = stepAt(path, shownPath);
      if (next === undefined) this.#device = stat.dev;
      if (next === undefined && !(lstat.isSymbolicLink() && stat.isDirectory())) {
        await this.#visit(folder, path, name, lstat);
        continue;
      }
      const entry = directoryEntry(name, stat, safeXattrs(path));
      const fd = openLead(path, shownPath);
      const child = this.#open(folder.childPath(name), folder, folder.expect(), entry, fd);
      await (next === undefined ? this.#walk(child) : this.#lead(child, next));
    }
    folder.walked();
  }

  async #walk(folder: OpenFolder): Promise<void> {
    const prefix = Buffer.from(`/proc/self/fd/${folder.fd}/`);
    const folders: (() => Promise<void>)[] = [];
    for (const name of this.#names(folder)) {
      if (this.#port.excluded(folder.childPath(name))) continue;
      const path = Buffer.concat([prefix, name]);
      let stat: BigIntStats;
      try {
        stat = lstatSync(path, { bigint: true });
      } catch (error) {
        // Gone since it was listed: as if it had never been there.
        if (codeOf(error) !== "ENOENT") this.#missing(folder.childPath(name), error);
        continue;
      }
      if (stat.isDirectory()) {
        const slot = folder.expect();
        folders.push(() => this.#visitFolder(folder, slot, path, name, stat));
      } else {
        await this.#visit(folder, path, name, stat);
      }
      if (performance.now() - this.#pausedAtMs > STRETCH_MS) await this.#pause();
    }
    for (const visit of folders) await visit();
    folder.walked();
  }

  async #visit(folder: OpenFolder, path: Buffer, name: Buffer, stat: BigIntStats): Promise<void> {
    const kind = kindOf(stat);
    try {
      if (kind === "file") await this.#visitFile(folder, path, name, stat);
      else if (kind === "directory") {
        await this.#visitFolder(folder, folder.expect(), path, name, stat);
      } else if (kind !== undefined) {
        const entry = plainEntry(path, name, stat, kind, readXattrs(path));
        folder.add(cachedOr(folder, entry));
      }
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      this.#missing(folder.childPath(name), error);
    }
  }

  async #visitFile(
    folder: OpenFolder,
    path: Buffer,
    name: Buffer,
    stat: BigIntStats,
  ): Promise<void> {
    this.#port.figures.files += 1;
    this.#port.figures.bytes += Number(stat.size);
    const link = this.#links.groupOf(stat);
    if (link?.isNew !== false) this.#port.figures.roomBytes += Number(stat.blocks) * BLOCK_BYTES;
    const cached = folder.cached?.entries.get(name.toString("latin1"));
    if (
      cached?.kind === "file" &&
      isUnchanged(cached, stat) &&
      cached.link === link?.number &&
      this.#allKnown(cached.chunks)
    ) {
      folder.add(cached);
      return;
    }
    const entry = fileEntry(name, stat, readXattrs(path), link?.number);
    const slot = folder.expect();
    const onOutcome = (outcome: ReadOutcome): void => this.#settle(folder, slot, entry, outcome);
    if (link !== undefined && !link.join(onOutcome)) return;
    const onRead = link === undefined ? onOutcome : link.tell.bind(link);
    this.#port.figures.readFiles += 1;
    this.#port.figures.readBytes += entry.sizeBytes;
    if (entry.sizeBytes === 0) onRead(entry);
    else await this.#port.queue.add({ folderFd: folder.fd ?? -1, entry, onRead });
  }

  #settle(folder: OpenFolder, slot: number, entry: FileEntry, outcome: ReadOutcome): void {
    const { name, sizeBytes } = entry;
    const tooLong = "chunks" in outcome && !fitsTree(outcome);
    if ("reason" in outcome || tooLong) {
      const reason = "reason" in outcome ? outcome.reason : "EFBIG";
      // Of a file with several names only the one that was read may be gone.
      if (reason !== "ENOENT" || entry.link !== undefined) {
        this.#port.figures.unreadable.push({ path: shown(folder.childPath(name)), reason });
      }
      this.#port.figures.files -= 1;
      this.#port.figures.bytes -= sizeBytes;
      folder.settle(slot, undefined);
      return;
    }
    if (outcome.changed) this.#port.figures.changed.push(shown(folder.childPath(name)));
    folder.settle(slot, { ...outcome, name });
  }

  async #visitFolder(
    parent: OpenFolder,
    slot: number,
    path: Buffer,
    name: Buffer,
    stat: BigIntStats,
  ): Promise<void> {
    let fd: number | undefined;
    const elsewhere = this.#port.oneFileSystem && stat.dev !== this.#device;
    try {
      if (!elsewhere) fd = openFolder(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return parent.settle(slot, undefined);
      // The directory is there, what it holds is not known.
      this.#missing(parent.childPath(name), error);
    }
    const entry = directoryEntry(name, stat, safeXattrs(path));
    const folder = this.#open(parent.childPath(name), parent, slot, entry, fd);
    if (fd === undefined) folder.walked();
    else await this.#walk(folder);
  }

  #open(
    path: string,
    parent: OpenFolder | undefined,
    slot: number,
    entry: DirectoryEntry | undefined,
    fd: number | undefined,
  ): OpenFolder {
    const cached = this.#port.cache?.directory(path);
    return new OpenFolder({ path, fd, parent, slot, entry, cached }, (done) => this.#close(done));
  }

  /** The directory is complete: its tree is known, and its parent a step further. */
  #close(folder: OpenFolder): void {
    const entries = folder.entries.filter((entry) => entry !== undefined);
    const { cached, parent, entry } = folder;
    const same =
      cached !== undefined &&
      cached.entries.size === entries.length &&
      entries.every((each) => cached.entries.get(keyOf(each.name)) === each);
    const trees = same ? cached.trees : encodeTrees(entries);
    const { treeKey } = this.#port;
    const ids = same ? cached.ids : Buffer.concat(trees.map((tree) => chunkIdOf(treeKey, tree)));
    trees.forEach((bytes, at) => {
      this.#port.onTree({ kind: "tree", id: ids.subarray(at * 32, (at + 1) * 32), bytes });
    });
    this.#port.cacheWriter.add(folder.path, ids, trees);
    if (parent === undefined || entry === undefined) this.#root = ids;
    else parent.settle(folder.slot, cachedOr(parent, { ...entry, chunks: ids }));
  }

  #names(folder: OpenFolder): readonly Buffer[] {
    try {
      const path = `/proc/self/fd/${folder.fd}`;
      return readdirSync(path, { encoding: "buffer" }).toSorted((a, b) => Buffer.compare(a, b));
    } catch (error) {
      this.#missing(folder.path, error);
      return [];
    }
  }

  #allKnown(ids: Uint8Array): boolean {
    for (let at = 0; at < ids.length; at += 32) {
      if (!this.#port.known(ids.subarray(at, at + 32))) return false;
    }
    return true;
  }

  #missing(path: string, error: unknown): void {
    this.#port.figures.unreadable.push({
      path: shown(path),
      reason: codeOf(error) ?? String(error),
    });
  }

  async #pause(): Promise<void> {
    await setImmediate();
    this.#pausedAtMs = performance.now();
  }
}

/** The cached entry of that name when it says the same, so that it need not be written again. */
function cachedOr(folder: OpenFolder, entry: TreeEntry): TreeEntry {
  const cached = folder.cached?.entries.get(keyOf(entry.name));
  return cached !== undefined && sameEntry(cached, entry) ? cached : entry;
}
