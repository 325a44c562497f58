/**
 * One restore: from the root of a snapshot to files in an empty directory.
 *
 * Directories are walked in order and made at once; the content of files is gathered in batches
 * and written shard by shard, so that each shard of a batch is fetched and opened once, however
 * its chunks are spread. What a batch needs is bounded, and so is the memory.
 */
import { linkSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import type { SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import type { FileEntry, TreeEntry } from "../../../../protocol/backup/tree.ts";
import type { ChunkLocator, PiecePlace } from "../seal/chunk-locator.ts";
import { dataBytes, rangesOf } from "../read/content-plan.ts";
import { createFile, finishFile, pathIn, type FileMeta, type Problem } from "./file-writer.ts";
import { ChunkNamer } from "../seal/chunk-namer.ts";
import { saveMemory } from "../run/memory-budget.ts";
import { faultOf, RestorePool } from "./restore-pool.ts";
import type { WriteItem } from "./restore-message.ts";
import { locate } from "./restore-plan.ts";
import { chunksThere, clear, isComplete } from "./restore-resume.ts";
import { RestoreSelection, type Wanted } from "./restore-selection.ts";
import { RestoreStaging, STAGING_NAME } from "./restore-staging.ts";
import { checkRoom, openTarget } from "./restore-target.ts";
import { contradiction, type ShardReader } from "../shard-reader.ts";
import { makeSpecial } from "../read/special-file.ts";
import { TargetFolder } from "./target-folder.ts";
import { TreeReader } from "./tree-reader.ts";

/** Pieces of a batch: some 300 bytes each while they wait. */
const BATCH_PIECES = 32_768;
/** From so much on all workers have something to do. */
const WARM_BYTES = 32 * 1024 * 1024;
const STAGING = Buffer.from(STAGING_NAME);
const SET_ID_BITS = 0o6000;
/** What a program may do, like the set-id bits: see capabilities(7). */
const CAPABILITIES = Buffer.from("security.capability");
export interface RestoreRequest {
  readonly reader: ShardReader;
  readonly root: ShardId;
  /** The record of that root. */
  readonly record: SnapshotRecord;
  /** Does not exist, is empty, or holds what an earlier run of the same restore has left. */
  readonly target: string;
  /** Of the snapshot; read when it is not given. */
  readonly locator?: ChunkLocator;
  /** Only these paths and what is below them, absolute, as bytes. None: everything. */
  readonly only?: readonly Uint8Array[];
  /** Make device nodes, and set the set-id bits of files: only where the backup is trusted. */
  readonly privileged: boolean;
  readonly onProgress: (figures: RestoreFigures) => void;
}

export interface RestoreFigures {
  /** Files that are complete, and bytes that are written or were there. */
  files: number;
  bytes: number;
  /** What could not be restored as it was: path and reason, in words. */
  readonly problems: { readonly path: string; readonly problem: string }[];
}

/** @throws BackupError when the restore cannot go on; what was restored so far stays. */
export async function runRestore(request: RestoreRequest): Promise<RestoreFigures> {
  saveMemory();
  const only = request.only ?? [];
  const selection = new RestoreSelection(only);
  const targetFd = openTarget(request.target);
  if (selection.isWhole && readdirSync(request.target).length === 0) {
    checkRoom(request.target, request.record);
  }
  const what = [request.root, ...only.map((path) => Buffer.from(path).toString("hex"))].join(" ");
  const staging = RestoreStaging.open(targetFd, what);
  const { folder, keys } = request.reader;
  const { owner, set, setKey, epochs } = keys;
  const setup = { owner, set, setKey, epochs, folder };
  const pool = new RestorePool(setup, request.reader, availableParallelism());
  try {
    if (request.record.bytes >= WARM_BYTES && selection.isWhole) pool.warm();
    const locator = request.locator ?? (await locate(request.reader, request.root, request.record));
    const restore = new Restore(request, { pool, locator, staging, selection, targetFd });
    const figures = await restore.run();
    await pool.close();
    staging.end();
    return figures;
  } catch (error) {
    // Workers may still be writing what they had begun.
    await pool.close();
    staging.leave();
    throw asFault(error);
  }
}

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

interface PlannedPiece {
  readonly file: OpenFile;
  readonly place: PiecePlace;
  readonly chunkId: Uint8Array;
  /** Where in the data of the file the piece begins. */
  readonly dataOffset: number;
}

interface LinkGroup {
  readonly folder: TargetFolder;
  readonly name: Uint8Array;
  made: boolean;
  readonly waiting: (() => void)[];
}

class Restore {
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
    const pieces = this.#piecesOf(entry);
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
  #leftOf(file: OpenFile, pieces: readonly Omit<PlannedPiece, "file">[]) {
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

  #piecesOf(entry: FileEntry): Omit<PlannedPiece, "file">[] {
    const pieces: Omit<PlannedPiece, "file">[] = [];
    let dataOffset = 0;
    for (let at = 0; at < entry.chunks.length; at += CHUNK_ID_BYTES) {
      const chunkId = entry.chunks.subarray(at, at + CHUNK_ID_BYTES);
      for (const place of this.#locator.find(chunkId)) {
        pieces.push({ place, chunkId, dataOffset });
        dataOffset += place.length;
      }
    }
    if (dataOffset !== dataBytes(entry)) {
      throw contradiction("The chunks of a file are not as long as the file.");
    }
    return pieces;
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

  #metaOf({ kind, mode, uid, gid, mtime, xattrs, name }: TreeEntry): FileMeta {
    const owner = this.#asRoot ? { uid, gid } : undefined;
    if (kind !== "file" || this.#request.privileged) return { owner, mode, mtime, xattrs };
    const path = Buffer.from(name).toString();
    const { problems } = this.#figures;
    if ((mode & SET_ID_BITS) !== 0) {
      problems.push({ path, problem: "set-id bit left out (--privileged as root keeps it)" });
    }
    const harmless = xattrs.filter(([key]) => !CAPABILITIES.equals(key));
    if (harmless.length < xattrs.length) {
      problems.push({ path, problem: "capabilities left out (--privileged as root keeps them)" });
    }
    return { owner, mode: mode & ~SET_ID_BITS, mtime, xattrs: harmless };
  }

  #tellEntry(folder: TargetFolder, name: Uint8Array, problems: readonly Problem[]): void {
    if (problems.length > 0) this.#tell(`${folder.path}/${Buffer.from(name).toString()}`, problems);
  }

  #tell(path: string, problems: readonly Problem[]): void {
    for (const problem of problems) this.#figures.problems.push({ path, problem });
  }
}

function asFault(error: unknown): unknown {
  if (error instanceof Error && "code" in error && "syscall" in error) {
    return faultOf(String(error.code), error.message);
  }
  return error;
}
