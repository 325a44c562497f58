/**
 * One backup run: from the paths of a data set to a head that its daemon has stored.
 *
 * The run counts when the daemon has taken the commit; whatever happens before, the last snapshot
 * stays the newest. Two runs of one data set never overlap.
 */
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { ShardTable } from "../../../protocol/chunk-index.ts";
import type { Head } from "../../../protocol/head.ts";
import { idOf, type ChainId, type ShardId } from "../../../protocol/ids.ts";
import { chunkIdKey } from "../../../protocol/set-keys.ts";
import { decodeTable } from "../../../protocol/shard-table.ts";
import type { PastSnapshot, SnapshotRecord } from "../../../protocol/snapshot.ts";
import { BackupError } from "./error.ts";
import { FileQueue } from "./file-queue.ts";
import { keepTables } from "./kept-tables.ts";
import { saveMemory } from "./memory-budget.ts";
import { planPaths } from "./path-plan.ts";
import type { SetState, SetStore } from "./port.ts";
import { SeenChunks } from "./seen-chunks.ts";
import type { SetKeyFile } from "./set-key-file.ts";
import { ShardReader } from "./shard-reader.ts";
import { lockFile } from "./system-calls.ts";
import { readTableCache, writeTableCache } from "./table-cache.ts";
import { TreeOutlet } from "./tree-outlet.ts";
import { Walk, type WalkFigures } from "./walk.ts";
import { WalkCache, WalkCacheWriter } from "./walk-cache.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface RunRequest {
  readonly keys: SetKeyFile;
  /** Absolute, as bytes. */
  readonly paths: readonly Uint8Array[];
  /** Whether a path (its bytes as characters) is left out. */
  readonly excluded: (path: string) => boolean;
  /** How many remote sites are wanted. */
  readonly copies: number;
  readonly store: SetStore;
  /** Folder of root's for caches. */
  readonly cacheFolder: string;
  readonly now: () => number;
  /** Called often. */
  readonly onProgress: (figures: WalkFigures, storedBytes: number) => void;
}

export interface RunOutcome {
  readonly head: Head;
  readonly figures: WalkFigures;
  /** Sealed bytes that this run added. */
  readonly storedBytes: number;
  readonly storedShards: number;
  /** All shards of the data set after the run, and their bytes. */
  readonly total: { readonly shards: number; readonly bytes: number };
  readonly record: SnapshotRecord;
}

/** @throws BackupError for what is wrong here; errors of the store as they come. */
export async function runBackup(request: RunRequest): Promise<RunOutcome> {
  saveMemory();
  const folder = join(request.cacheFolder, request.keys.set);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = openSync(join(folder, "lock"), "w", 0o600);
  try {
    if (!lockFile(lock)) {
      throw new BackupError(
        "E-BACKUP-BUSY",
        `Another run of "${request.keys.name}" is under way.`,
        {
          hint: "Wait for it to end.",
        },
      );
    }
    return await runLocked(request, folder);
  } finally {
    closeSync(lock);
  }
}

async function runLocked(request: RunRequest, folder: string): Promise<RunOutcome> {
  const { keys, store } = request;
  const plan = planPaths(request.paths);
  const state = await store.state();
  const before = await readBefore(request, folder, state);
  const epoch = keys.epochs.at(-1);
  if (epoch === undefined) throw new RangeError("checked when the keys were read");
  const levels = [SeenChunks.newLevel(before.chunks)];
  const subject = {
    owner: keys.owner,
    set: keys.set,
    keyEpoch: epoch.epoch,
    epochKey: epoch.key,
    capsule: epoch.capsule,
  };
  const pool = new WorkerPool(
    { subject, setKey: keys.setKey },
    levels,
    availableParallelism(),
    (shard, bytes) => store.put(shard, bytes),
  );
  const cacheWriter = new WalkCacheWriter(join(folder, "walk"));
  const cache =
    before.base === null ? undefined : WalkCache.open(join(folder, "walk"), before.base.root);
  try {
    for (const id of before.ids()) pool.seen.add(id);
    const trees = new TreeOutlet(pool);
    const queue = new FileQueue(pool);
    const walk = new Walk({
      queue,
      known: (id) => pool.seen.has(id),
      onTree: (chunk) => trees.add(chunk),
      treeKey: chunkIdKey(keys.setKey, "tree"),
      cache,
      cacheWriter,
      excluded: request.excluded,
    });
    const ticking = setInterval(() => request.onProgress(walk.figures, pool.storedBytes), 250);
    let tree: Uint8Array;
    try {
      tree = await walk.run(plan);
    } finally {
      clearInterval(ticking);
    }
    trees.flush();
    const { figures } = walk;
    const atMs = request.now();
    const next = nextHead(state, before.base);
    const open = {
      set: keys.set,
      name: keys.name,
      ...next,
      atMs,
      paths: request.paths,
      tree,
      index: before.newIndex ? [] : before.index,
      files: figures.files,
      bytes: figures.bytes,
      roomBytes: figures.roomBytes,
      unreadable: figures.unreadable.length,
      changed: figures.changed.length,
      history: before.history,
    };
    const { root, record } = await pool.finish(before.newIndex ? before.tables : [], open);
    const head: Head = { ...next, root, atMs };
    const added = pool.tables;
    const total = await store.commit({
      owner: keys.owner,
      sealedName: keys.sealedName,
      keyEpoch: epoch.epoch,
      copies: request.copies,
      head,
      add: added.flatMap(({ shard, sizeBytes }) =>
        shard === undefined ? [] : [[shard, sizeBytes]],
      ),
    });
    cacheWriter.publish(root);
    writeTableCache(join(folder, "tables"), root, [...before.tables, ...added]);
    return {
      head,
      figures,
      storedBytes: pool.storedBytes,
      storedShards: added.length,
      total,
      record,
    };
  } catch (error) {
    cacheWriter.abandon();
    throw error;
  } finally {
    cache?.close();
    await pool.close();
  }
}

/** What earlier runs left that this one builds on. */
interface Before {
  /** The head of the newest list; null for a first run. */
  readonly base: Head | null;
  /** Tables of the shards that this run builds on. */
  readonly tables: readonly ShardTable[];
  /** Whether they have to be written into a new index. */
  readonly newIndex: boolean;
  readonly index: SnapshotRecord["index"];
  readonly history: readonly PastSnapshot[];
  /** How many chunks the tables name. */
  readonly chunks: number;
  ids(): Iterable<Uint8Array>;
}

async function readBefore(
  { keys, store }: RunRequest,
  folder: string,
  state: SetState | undefined,
): Promise<Before> {
  const head = state?.head ?? null;
  if (state === undefined || head === null) {
    return {
      base: null,
      tables: [],
      newIndex: false,
      index: [],
      history: [],
      chunks: 0,
      ids: () => [],
    };
  }
  const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
  const { owner, set, setKey } = keys;
  const reader = new ShardReader(store, { owner, set, setKey, epochs });
  const record = await reader.snapshot(head.root);
  let tables = readTableCache(join(folder, "tables"), head.root);
  if (tables === undefined) {
    tables = [];
    for await (const table of reader.tables(head.root, record)) tables.push(table);
  }
  const kept = keepTables(tables, state.shards, record.index.length);
  const { chain, number, root, atMs } = head;
  const { files, bytes } = record;
  return {
    base: head,
    ...kept,
    index: record.index.map(({ shard = root, frame }) => ({ shard, frame })),
    history: [...record.history, { chain, number, root, atMs, files, bytes }],
    chunks: kept.tables.reduce((sum, { table }) => sum + table.length / 36, 0),
    ids: () => chunkIdsOf(kept.tables),
  };
}

/** Chunks of files and trees; index and record chunks are never looked for. */
function* chunkIdsOf(tables: readonly ShardTable[]): Generator<Uint8Array> {
  // A chunk that was cut at the end of a shard counts when all of it is there.
  const cut = new Map<string, number>();
  for (const { table } of tables) {
    for (const { kind, pieces } of decodeTable(table)) {
      if (kind !== "data" && kind !== "tree") continue;
      for (const { chunkId, length, chunkLength } of pieces) {
        if (length < chunkLength) {
          const key = Buffer.from(chunkId).toString("latin1");
          const sum = (cut.get(key) ?? 0) + length;
          cut.set(key, sum);
          if (sum < chunkLength) continue;
        }
        yield chunkId;
      }
    }
  }
}

/**
 * The next place in the chain. A member that knows a newer head than our own list means that this
 * box was set back to an older state: then a new chain begins, and both tips stay visible.
 */
function nextHead(
  state: SetState | undefined,
  base: Head | null,
): { readonly chain: ChainId; readonly number: number; readonly previous: ShardId | null } {
  const newest = state?.newestHead ?? base;
  const rolledBack = newest !== null && newest.root !== base?.root;
  if (base === null || rolledBack) {
    return { chain: idOf<ChainId>(randomBytes(16)), number: 1, previous: null };
  }
  return { chain: base.chain, number: base.number + 1, previous: base.root };
}
