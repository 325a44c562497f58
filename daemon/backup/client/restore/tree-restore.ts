/**
 * Writes the tree of a snapshot below a directory.
 *
 * Directories are walked in order and made at once; the content of files is gathered in batches
 * and written shard by shard, so that each shard of a batch is fetched and opened once, however
 * its chunks are spread. What a batch needs is bounded, and so is the memory.
 */
import { linkSync } from "node:fs";
import type { ShardId } from "../../../../protocol/ids.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import type { FileEntry, TreeEntry } from "../../../../protocol/backup/tree.ts";
import { dataBytes, rangesOf } from "../read/content-plan.ts";
import { makeSpecial } from "../read/special-file.ts";
import type { ChunkLocator } from "../seal/chunk-locator.ts";
import { ChunkNamer } from "../seal/chunk-namer.ts";
import { contradiction } from "../shard-reader.ts";
import { metaFor } from "./entry-meta.ts";
import { piecesOf, type FilePiece } from "./file-pieces.ts";
import { createFile, finishFile, pathIn, type FileMeta, type Problem } from "./file-writer.ts";
import type { WriteItem } from "./restore-message.ts";
import type { RestorePool } from "./restore-pool.ts";
import { chunksThere, clear, isComplete } from "./restore-resume.ts";
import type { RestoreFigures, RestoreRequest } from "./restore-request.ts";
import type { RestoreSelection, Wanted } from "./restore-selection.ts";
import { STAGING_NAME, type RestoreStaging } from "./restore-staging.ts";
import { TargetFolder } from "./target-folder.ts";
import { TreeReader } from "./tree-reader.ts";

/** Pieces of a batch: some 300 bytes each while they wait. */
const BATCH_PIECES = 32_768;
const STAGING = Buffer.from(STAGING_NAME);

interface RestoreParts {
  readonly pool: RestorePool;
  readonly locator: ChunkLocator;
  readonly staging: RestoreStaging;
  readonly selection: RestoreSelection;
  readonly targetFd: number;
}

interface OpenFile {
  readonly folder: TargetFolder;
  readonly entry: FileEntry;
  readonly meta: FileMeta;
  /** Its name in the staging directory; undefined for a file of one piece, which is whole. */
  readonly staged: Uint8Array | undefined;
  /** Pieces that are not written yet; the planning itself counts as one. */
  pending: number;
}

interface PlannedPiece extends FilePiece {
  readonly file: OpenFile;
}

interface LinkGroup {
  readonly folder: TargetFolder;
  readonly name: Uint8Array;
  made: boolean;
  readonly waiting: (() => void)[];
}

export class TreeRestore {
  readonly #request: RestoreRequest;
  readonly #pool: RestorePool;
  readonly #locator: ChunkLocator;
  readonly #trees: TreeReader;
  readonly #target: TargetFolder;
  readonly #staging: RestoreStaging;
  readonly #selection: RestoreSelection;
  readonly #namer: ChunkNamer;
  readonly #figures: RestoreFigures = { files: 0, bytes: 0, problems: [] };
  readonly #links = new Map<number, LinkGroup>();
  readonly #asRoot = process.geteuid?.() === 0;
  #batch = new Map<ShardId, PlannedPiece[]>();
  #batchPieces = 0;

  constructor(
    request: RestoreRequest,
    { pool, locator, staging, selection, targetFd }: RestoreParts,
  ) {
    this.#request = request;
    this.#staging = staging;
    this.#selection = selection;
    this.#namer = new ChunkNamer(request.reader.keys.setKey, "data");
    this.#pool = pool;
    this.#locator = locator;
    const treeKey = chunkIdKey(request.reader.keys.setKey, "tree");
    this.#trees = new TreeReader(request.reader, locator, treeKey);
    this.#target = TargetFolder.target(targetFd, (folder, problems) =>
      this.#tell(folder.path, problems),
    );
  }

  async run(): Promise<RestoreFigures> {
    await this.#fill(this.#target, this.#request.record.tree, this.#selection.root);
    await this.#flush();
    for (const path of this.#selection.missing) this.#tell(path, ["not in this snapshot"]);
    return this.#figures;
  }

  async #fill(folder: TargetFolder, ids: Uint8Array, wanted: Wanted): Promise<void> {
    for await (const entries of this.#trees.directory(ids)) {
      for (const entry of entries) {
        const below = this.#selection.of(wanted, entry.name, entry.kind === "directory");
        if (below !== false) await this.#place(folder, entry, below);
      }
    }
    folder.settle();
  }

  async #place(folder: TargetFolder, entry: TreeEntry, wanted: Wanted): Promise<void> {
    if (folder.parent === undefined && STAGING.equals(entry.name)) {
      throw contradiction("The snapshot names a path that restores need for themselves.");
    }
    if (entry.kind === "directory") {
      const { isResumed } = this.#staging;
      const made = folder.make(entry.name, this.#metaOf(entry), isResumed);
      await this.#fill(made, entry.chunks, wanted);
    } else if (entry.kind === "file") {
      await this.#placeFile(folder, entry);
    } else {
      this.#placeSpecial(folder, entry);
    }
  }

  async #placeFile(folder: TargetFolder, entry: FileEntry): Promise<void> {
    if (entry.link !== undefined) {
      const group = this.#links.get(entry.link);
      if (group !== undefined) return this.#placeLink(folder, entry, group);
      const { name } = entry;
      this.#links.set(entry.link, { folder, name, made: false, waiting: [] });
    }
    const pieces = piecesOf(entry, this.#locator);
    const meta = this.#metaOf(entry);
    const staged = pieces.length === 1 ? undefined : this.#staging.nextName();
    const file: OpenFile = { folder, entry, meta, staged, pending: 1 };
    folder.expect();
    const left = this.#staging.isResumed ? this.#leftOf(file, pieces) : pieces;
    if (left === undefined) return this.#fileDone(file);
    if (staged !== undefined && left.length === pieces.length) {
      const path = pathIn(this.#staging.fd, staged);
      if (this.#staging.isResumed) clear(path);
      createFile(path, entry.extents === undefined ? undefined : entry.sizeBytes);
    }
    for (const piece of left) {
      file.pending += 1;
      const { shard } = piece.place;
      const planned = { ...piece, file };
      const others = this.#batch.get(shard);
      if (others === undefined) this.#batch.set(shard, [planned]);
      else others.push(planned);
      this.#batchPieces += 1;
      if (this.#batchPieces >= BATCH_PIECES) await this.#flush();
    }
    this.#pieceDone(file);
  }

  /** What a run before has not written; undefined when the file is complete. */
  #leftOf(file: OpenFile, pieces: readonly FilePiece[]) {
    const { folder, entry, meta, staged } = file;
    const lengths: number[] = [];
    for (const { place } of pieces) if (place.chunkOffset === 0) lengths.push(place.chunkLength);
    const there = folder.use((fd) => {
      return isComplete(pathIn(fd, entry.name), entry, meta, lengths, this.#namer);
    });
    if (there) {
      this.#figures.bytes += dataBytes(entry);
      return undefined;
    }
    if (staged === undefined) return pieces;
    const right = chunksThere(pathIn(this.#staging.fd, staged), entry, lengths, this.#namer);
    if (right === undefined) return pieces;
    let chunk = -1;
    return pieces.filter(({ place }) => {
      if (place.chunkOffset === 0) chunk += 1;
      if (right[chunk] !== true) return true;
      this.#figures.bytes += place.length;
      return false;
    });
  }

  /** A further name of a file: made when the file is there. */
  #placeLink(folder: TargetFolder, entry: FileEntry, group: LinkGroup): void {
    folder.expect();
    const link = (): void => {
      group.folder.use((from) =>
        folder.use((to) => {
          const path = pathIn(to, entry.name);
          if (this.#staging.isResumed) clear(path);
          linkSync(pathIn(from, group.name), path);
        }),
      );
      this.#count(entry.sizeBytes);
      folder.settle();
    };
    if (group.made) link();
    else group.waiting.push(link);
  }

  #placeSpecial(
    folder: TargetFolder,
    entry: Exclude<TreeEntry, { kind: "file" | "directory" }>,
  ): void {
    const devices = this.#request.privileged && this.#asRoot;
    const meta = this.#metaOf(entry);
    const problems = folder.use((fd) => {
      const path = pathIn(fd, entry.name);
      if (this.#staging.isResumed) clear(path);
      return makeSpecial(path, entry, meta, devices);
    });
    this.#tellEntry(folder, entry.name, problems);
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = new Map();
    this.#batchPieces = 0;
    await this.#pool.run(
      [...batch].map(([shard, pieces]) => ({
        shard,
        items: () => pieces.map((piece) => this.#itemOf(piece)),
        onDone: (problems) => {
          for (const { item, problem } of problems) {
            const file = pieces[item]?.file;
            if (file !== undefined) this.#tellEntry(file.folder, file.entry.name, [problem]);
          }
          for (const { file, place } of pieces) {
            if (file.staged === undefined) file.folder.unpin();
            this.#figures.bytes += place.length;
            this.#pieceDone(file);
          }
          this.#request.onProgress(this.#figures);
        },
      })),
    );
  }

  #itemOf({ file, place, chunkId, dataOffset }: PlannedPiece): WriteItem {
    const { entry, folder, meta, staged } = file;
    const { frame, frameOffset, length, chunkOffset, chunkLength } = place;
    const holesUpTo = entry.extents === undefined ? undefined : entry.sizeBytes;
    return {
      folderFd: staged === undefined ? folder.pin() : this.#staging.fd,
      name: staged ?? entry.name,
      chunkId,
      frame,
      frameOffset,
      length,
      chunkOffset,
      chunkLength,
      ranges: rangesOf(entry.extents, dataOffset, length),
      whole: staged === undefined ? { meta, holesUpTo } : undefined,
    };
  }

  #pieceDone(file: OpenFile): void {
    file.pending -= 1;
    if (file.pending > 0) return;
    const { folder, entry, meta, staged } = file;
    if (staged !== undefined) {
      const grown = pathIn(this.#staging.fd, staged);
      const problems = folder.use((fd) => {
        return finishFile(grown, pathIn(fd, entry.name), entry.sizeBytes, meta);
      });
      this.#tellEntry(folder, entry.name, problems);
    }
    this.#fileDone(file);
  }

  /** The file has its name. */
  #fileDone({ folder, entry }: OpenFile): void {
    this.#count(entry.sizeBytes - dataBytes(entry));
    const group = entry.link === undefined ? undefined : this.#links.get(entry.link);
    if (group !== undefined) {
      group.made = true;
      for (const link of group.waiting.splice(0)) link();
    }
    folder.settle();
  }

  #count(bytes: number): void {
    this.#figures.files += 1;
    this.#figures.bytes += bytes;
  }

  #metaOf(entry: TreeEntry): FileMeta {
    const { privileged } = this.#request;
    const { meta, problems } = metaFor(entry, { privileged, asRoot: this.#asRoot });
    if (problems.length > 0) this.#tell(Buffer.from(entry.name).toString(), problems);
    return meta;
  }

  #tellEntry(folder: TargetFolder, name: Uint8Array, problems: readonly Problem[]): void {
    if (problems.length > 0) this.#tell(`${folder.path}/${Buffer.from(name).toString()}`, problems);
  }

  #tell(path: string, problems: readonly Problem[]): void {
    for (const problem of problems) this.#figures.problems.push({ path, problem });
  }
}
