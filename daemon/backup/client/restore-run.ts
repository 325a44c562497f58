/**
 * One restore: from the root of a snapshot to files in an empty directory.
 *
 * Directories are walked in order and made at once; the content of files is gathered in batches
 * and written shard by shard, so that each shard of a batch is fetched and opened once, however
 * its chunks are spread. What a batch needs is bounded, and so is the memory.
 */
import { linkSync } from "node:fs";
import { availableParallelism } from "node:os";
import { CHUNK_ID_BYTES } from "../../../protocol/chunk.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import { chunkIdKey } from "../../../protocol/set-keys.ts";
import type { SnapshotRecord } from "../../../protocol/snapshot.ts";
import type { FileEntry, TreeEntry } from "../../../protocol/tree.ts";
import { ChunkLocator, type PiecePlace } from "./chunk-locator.ts";
import { dataBytes, rangesOf } from "./content-plan.ts";
import { createFile, finishFile, pathIn, type FileMeta, type Problem } from "./file-writer.ts";
import { saveMemory } from "./memory-budget.ts";
import { faultOf, RestorePool } from "./restore-pool.ts";
import type { WriteItem } from "./restore-message.ts";
import { checkRoom, openTarget } from "./restore-target.ts";
import { contradiction, type ShardReader } from "./shard-reader.ts";
import { makeSpecial } from "./special-file.ts";
import { TargetFolder } from "./target-folder.ts";
import { TreeReader } from "./tree-reader.ts";

/** Pieces of a batch: some 300 bytes each while they wait. */
const BATCH_PIECES = 32_768;
/** From so much on all workers have something to do. */
const WARM_BYTES = 32 * 1024 * 1024;
const SET_ID_BITS = 0o6000;
/** What a program may do, like the set-id bits: see capabilities(7). */
const CAPABILITIES = Buffer.from("security.capability");
export interface RestoreRequest {
  readonly reader: ShardReader;
  readonly root: ShardId;
  /** The record of that root. */
  readonly record: SnapshotRecord;
  /** Does not exist, or is an empty directory. */
  readonly target: string;
  /** Make device nodes, and set the set-id bits of files: only where the backup is trusted. */
  readonly privileged: boolean;
  readonly onProgress: (figures: RestoreFigures) => void;
}

export interface RestoreFigures {
  files: number;
  bytes: number;
  /** What could not be restored as it was: path and reason, in words. */
  readonly problems: { readonly path: string; readonly problem: string }[];
}

/** @throws BackupError when the restore cannot go on; what was restored so far stays. */
export async function runRestore(request: RestoreRequest): Promise<RestoreFigures> {
  saveMemory();
  const targetFd = openTarget(request.target);
  checkRoom(request.target, request.record);
  const { folder, keys } = request.reader;
  const { owner, set, setKey, epochs } = keys;
  const setup = { owner, set, setKey, epochs, folder };
  const pool = new RestorePool(setup, request.reader, availableParallelism());
  try {
    if (request.record.bytes >= WARM_BYTES) pool.warm();
    const locator = new ChunkLocator();
    for await (const table of request.reader.tables(request.root, request.record)) {
      locator.add(table, ["data", "tree"]);
    }
    return await new Restore(request, pool, locator, targetFd).run();
  } catch (error) {
    throw asFault(error);
  } finally {
    await pool.close();
  }
}

interface OpenFile {
  readonly folder: TargetFolder;
  readonly entry: FileEntry;
  readonly meta: FileMeta;
  /** Pieces that are not written yet; the planning itself counts as one. */
  pending: number;
}

interface PlannedPiece {
  readonly file: OpenFile;
  readonly place: PiecePlace;
  readonly chunkId: Uint8Array;
  /** Where in the data of the file the piece begins. */
  readonly dataOffset: number;
  readonly whole: boolean;
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
  readonly #figures: RestoreFigures = { files: 0, bytes: 0, problems: [] };
  readonly #links = new Map<number, LinkGroup>();
  readonly #asRoot = process.geteuid?.() === 0;
  #batch = new Map<ShardId, PlannedPiece[]>();
  #batchPieces = 0;

  constructor(request: RestoreRequest, pool: RestorePool, locator: ChunkLocator, targetFd: number) {
    this.#request = request;
    this.#pool = pool;
    this.#locator = locator;
    const treeKey = chunkIdKey(request.reader.keys.setKey, "tree");
    this.#trees = new TreeReader(request.reader, locator, treeKey);
    this.#target = TargetFolder.target(targetFd, (folder, problems) =>
      this.#tell(folder.path, problems),
    );
  }

  async run(): Promise<RestoreFigures> {
    await this.#fill(this.#target, this.#request.record.tree);
    await this.#flush();
    return this.#figures;
  }

  async #fill(folder: TargetFolder, ids: Uint8Array): Promise<void> {
    for await (const entries of this.#trees.directory(ids)) {
      for (const entry of entries) await this.#place(folder, entry);
    }
    folder.settle();
  }

  async #place(folder: TargetFolder, entry: TreeEntry): Promise<void> {
    if (entry.kind === "directory") {
      await this.#fill(folder.make(entry.name, this.#metaOf(entry)), entry.chunks);
    } else if (entry.kind === "file") {
      await this.#placeFile(folder, entry);
    } else {
      this.#placeSpecial(folder, entry);
    }
  }

  async #placeFile(folder: TargetFolder, entry: FileEntry): Promise<void> {
    this.#figures.files += 1;
    this.#figures.bytes += entry.sizeBytes;
    if (entry.link !== undefined) {
      const group = this.#links.get(entry.link);
      if (group !== undefined) return this.#placeLink(folder, entry, group);
      const { name } = entry;
      this.#links.set(entry.link, { folder, name, made: false, waiting: [] });
    }
    const pieces = this.#piecesOf(entry);
    const file: OpenFile = { folder, entry, meta: this.#metaOf(entry), pending: 1 };
    folder.expect();
    const whole = pieces.length === 1;
    if (!whole) {
      const size = entry.extents === undefined ? undefined : entry.sizeBytes;
      folder.use((fd) => createFile(pathIn(fd, entry.name), size));
    }
    for (const piece of pieces) {
      file.pending += 1;
      const { shard } = piece.place;
      const planned = { ...piece, file, whole };
      const others = this.#batch.get(shard);
      if (others === undefined) this.#batch.set(shard, [planned]);
      else others.push(planned);
      this.#batchPieces += 1;
      if (this.#batchPieces >= BATCH_PIECES) await this.#flush();
    }
    this.#pieceDone(file, whole);
  }

  #piecesOf(entry: FileEntry): Omit<PlannedPiece, "file" | "whole">[] {
    const pieces: Omit<PlannedPiece, "file" | "whole">[] = [];
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
        folder.use((to) => linkSync(pathIn(from, group.name), pathIn(to, entry.name))),
      );
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
    const problems = folder.use((fd) => makeSpecial(pathIn(fd, entry.name), entry, meta, devices));
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
          for (const { file, whole } of pieces) {
            file.folder.unpin();
            this.#pieceDone(file, whole);
          }
          this.#request.onProgress(this.#figures);
        },
      })),
    );
  }

  #itemOf({ file, place, chunkId, dataOffset, whole }: PlannedPiece): WriteItem {
    const { entry, folder, meta } = file;
    const { frame, frameOffset, length, chunkOffset, chunkLength } = place;
    const holesUpTo = entry.extents === undefined ? undefined : entry.sizeBytes;
    return {
      folderFd: folder.pin(),
      name: entry.name,
      chunkId,
      frame,
      frameOffset,
      length,
      chunkOffset,
      chunkLength,
      ranges: rangesOf(entry.extents, dataOffset, length),
      whole: whole ? { meta, holesUpTo } : undefined,
    };
  }

  #pieceDone(file: OpenFile, whole: boolean): void {
    file.pending -= 1;
    if (file.pending > 0) return;
    const { folder, entry, meta } = file;
    if (!whole) {
      const problems = folder.use((fd) => finishFile(pathIn(fd, entry.name), meta));
      this.#tellEntry(folder, entry.name, problems);
    }
    const group = entry.link === undefined ? undefined : this.#links.get(entry.link);
    if (group !== undefined) {
      group.made = true;
      for (const link of group.waiting.splice(0)) link();
    }
    folder.settle();
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
