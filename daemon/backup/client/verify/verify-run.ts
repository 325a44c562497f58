/**
 * Verifies snapshots: reads every shard that they need, opens all of it, compares every chunk with
 * its id, and walks every directory.
 *
 * What is found damaged is fetched from a holder; where none has it, the files that lack it are
 * named, and the next run stores anew what is still there of them.
 */
import { availableParallelism } from "node:os";
import { PleachError } from "../../../../protocol/error.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import type { SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { BackupError } from "../error.ts";
import { ChunkLocator } from "../seal/chunk-locator.ts";
import { CutChunks } from "./cut-chunks.ts";
import { FrameCodec } from "../seal/frame-codec.ts";
import { saveMemory } from "../run/memory-budget.ts";
import { ShardChecker, type ShardCheck } from "./shard-check.ts";
import { ShardReader, type ReaderKeys } from "../shard-reader.ts";
import { SnapshotWalk, type Affected } from "./snapshot-walk.ts";
import { VerifiedCopy, type CopyHolder, type ShardProblem } from "./verify-copy.ts";
import { VerifyPool } from "./verify-pool.ts";

export interface VerifyRequest {
  readonly keys: ReaderKeys;
  /** Root of the newest snapshot. */
  readonly newest: ShardId;
  /** Roots of the snapshots that are verified. */
  readonly choose: (newest: SnapshotRecord) => readonly ShardId[];
  /** Where the daemon keeps the shards; undefined to verify what the only holder gives. */
  readonly folder: string | undefined;
  readonly holders: readonly CopyHolder[];
  /** Whether the store is healed from the holders. */
  readonly heal: boolean;
  readonly onProgress: (figures: VerifyFigures) => void;
}

export interface VerifyFigures {
  shards: number;
  bytes: number;
  /** Of the snapshots that were begun. */
  totalShards: number;
  chunks: number;
}

export interface VerifyReport extends VerifyFigures {
  readonly files: number;
  readonly snapshots: number;
  /** Shards of which only the names were verified: the keys of their epochs are not here. */
  readonly closedShards: number;
  readonly problems: readonly ShardProblem[];
  /** What may not come back whole, with the number of the newest snapshot that lacks it. */
  readonly affected: readonly (Affected & { readonly snapshot: number })[];
  /** Snapshots that cannot be read at all. */
  readonly unreadable: readonly { readonly root: ShardId; readonly reason: string }[];
}

export async function runVerify(request: VerifyRequest): Promise<VerifyReport> {
  saveMemory();
  const run = new VerifyRun(request);
  try {
    for (const root of await run.chosen()) await run.snapshot(root);
    return await run.report();
  } finally {
    await run.close();
  }
}

class VerifyRun {
  readonly #request: VerifyRequest;
  readonly #copy: VerifiedCopy;
  readonly #reader: ShardReader;
  readonly #pool: VerifyPool;
  readonly #threads = availableParallelism();
  readonly #checker: ShardChecker;
  readonly #cut: CutChunks;
  readonly #seen = new Set<ShardId>();
  readonly #figures: VerifyFigures = { shards: 0, bytes: 0, totalShards: 0, chunks: 0 };
  readonly #walked: Walked[] = [];
  readonly #unreadable: { root: ShardId; reason: string }[] = [];
  #files = 0;
  #closedShards = 0;

  constructor(request: VerifyRequest) {
    this.#request = request;
    const { keys, folder, holders, heal } = request;
    this.#copy = new VerifiedCopy({ keys, folder, holders, heal });
    this.#reader = new ShardReader(this.#copy, keys);
    this.#checker = new ShardChecker(keys, new FrameCodec(SHARD_BYTES));
    this.#cut = new CutChunks(this.#checker);
    const { owner, set, setKey, epochs } = keys;
    const setup = { owner, set, setKey, epochs, folder: folder ?? "" };
    this.#pool = new VerifyPool(setup, this.#threads);
  }

  async chosen(): Promise<readonly ShardId[]> {
    const { newest, choose } = this.#request;
    try {
      return choose(await this.#reader.snapshot(newest));
    } catch (error) {
      // What can be said of it is said when it is verified.
      if (error instanceof BackupError && error.code === "E-BACKUP-STORE") return [newest];
      throw error;
    }
  }

  /** Verifies one snapshot; shards that were looked at for another one are not read again. */
  async snapshot(root: ShardId): Promise<void> {
    let record: SnapshotRecord;
    let found: Located;
    try {
      record = await this.#reader.snapshot(root);
      found = await this.#locate(root, record);
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      this.#unreadable.push({ root, reason: error.message });
      return;
    }
    const { locator, tables } = found;
    const walk = new SnapshotWalk(this.#reader, locator, new Set());
    await walk.run(record.tree);
    this.#files += walk.files;
    this.#walked.push({ record, root, affected: walk.affected });
    // Where directories are closed, nobody knows what the snapshot needs: then all of its index.
    const content = walk.isClosed ? locator.shards : walk.needed;
    const index = record.index.map(({ shard = root }) => shard);
    const needed = new Set([root, ...index, ...content]).difference(this.#seen);
    this.#figures.totalShards += needed.size;
    // In the order of the index, which is about that of sealing: cut chunks soon become whole.
    const ordered = [...tables.keys()].filter((shard) => needed.has(shard));
    const left = new Set([...ordered, ...needed]).values();
    const lanes = Array.from({ length: this.#threads }, async () => {
      for (const shard of left) await this.#look(shard, tables.get(shard));
    });
    await Promise.all(lanes);
  }

  async report(): Promise<VerifyReport> {
    const { problems, lost } = this.#copy;
    const affected = new Map<string, Affected & { readonly snapshot: number }>();
    for (const walked of this.#walked) {
      const { number } = walked.record;
      for (const each of lost.size > 0 ? await this.#lacking(walked, lost) : walked.affected) {
        if (!affected.has(each.path)) affected.set(each.path, { ...each, snapshot: number });
      }
    }
    return {
      ...this.#figures,
      chunks: this.#figures.chunks + this.#cut.checked,
      files: this.#files,
      snapshots: this.#walked.length,
      closedShards: this.#closedShards,
      problems,
      affected: [...affected.values()],
      unreadable: this.#unreadable,
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** Now that all is known that is lost. */
  async #lacking({ record, root }: Walked, lost: ReadonlySet<ShardId>) {
    const { locator } = await this.#locate(root, record);
    const walk = new SnapshotWalk(this.#reader, locator, lost);
    await walk.run(record.tree);
    return walk.affected;
  }

  async #locate(root: ShardId, record: SnapshotRecord): Promise<Located> {
    const locator = new ChunkLocator();
    const tables = new Map<ShardId, Uint8Array>();
    for await (const table of this.#reader.tables(root, record)) {
      locator.add(table, ["data", "tree"]);
      if (table.shard !== undefined) tables.set(table.shard, table.table);
    }
    return { locator, tables };
  }

  async #look(shard: ShardId, table: Uint8Array | undefined): Promise<void> {
    this.#seen.add(shard);
    const isRemote = this.#request.folder === undefined;
    let given = isRemote ? await this.#copy.fetch(shard, "missing") : undefined;
    if (isRemote && given === undefined) return;
    let outcome = await this.#pool.check({ shard, table, given });
    if (outcome.state === "missing" || outcome.state === "damaged") {
      given = await this.#copy.fetch(shard, outcome.state);
      if (given === undefined) return;
      outcome = await this.#pool.check({ shard, table, given });
    }
    if (outcome.state === "sound") this.#count(shard, outcome);
    else if (outcome.state === "wrong") this.#copy.noteWrong(shard);
    else throw new RangeError("a copy was sound a moment ago");
  }

  #count(
    shard: ShardId,
    { sizeBytes, chunks, cut, isOpened }: Extract<ShardCheck, { state: "sound" }>,
  ): void {
    const figures = this.#figures;
    figures.shards += 1;
    figures.bytes += sizeBytes;
    figures.chunks += chunks;
    if (!isOpened) this.#closedShards += 1;
    for (const piece of cut) {
      for (const one of this.#cut.add(shard, piece)) this.#copy.noteWrong(one);
    }
    this.#request.onProgress(figures);
  }
}

interface Walked {
  readonly record: SnapshotRecord;
  readonly root: ShardId;
  readonly affected: readonly Affected[];
}

interface Located {
  readonly locator: ChunkLocator;
  readonly tables: ReadonlyMap<ShardId, Uint8Array>;
}
