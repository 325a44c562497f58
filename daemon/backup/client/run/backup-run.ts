/**
 * One backup run: from the paths, or the stream, of a data set to a head that its daemon has stored.
 *
 * The run counts when the daemon has taken the commit; whatever happens before, the last snapshot
 * stays the newest. Two runs of one data set never overlap.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import { firstDoubts, type SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import { BackupError } from "../error.ts";
import { gatherFiles, type FilesParts, type Gathered } from "../read/gather-files.ts";
import { gatherStream, type StreamSource } from "../read/gather-stream.ts";
import { saveMemory } from "./memory-budget.ts";
import { planPaths } from "../read/path-plan.ts";
import { PORTION_BYTES, Portions } from "../seal/portions.ts";
import type { SetStore } from "../port.ts";
import { runGround } from "./run-ground.ts";
import { RunJournal } from "./run-journal.ts";
import { eraseFile } from "../keys/secret-file.ts";
import { SeenChunks } from "../seal/seen-chunks.ts";
import type { SetKeyFile } from "../keys/set-key-file.ts";
import { withSetLock } from "./set-lock.ts";
import { writeTableCache } from "../seal/table-cache.ts";
import { TreeOutlet } from "../seal/tree-outlet.ts";
import { noFigures, type WalkFigures } from "../read/walk.ts";
import type { Cut } from "../seal/worker-message.ts";
import { WorkerPool } from "../seal/worker-pool.ts";

export interface RunRequest {
  readonly keys: SetKeyFile;
  /** Runs first, while no other run of the set can: makes ready what is read. */
  readonly before?: () => Promise<void>;
  /** Absolute, as bytes; none with a stream. */
  readonly paths: readonly Uint8Array[];
  /** Read instead of paths. */
  readonly stream?: StreamSource;
  /** Whether a path (its bytes as characters) is left out. */
  readonly excluded: (path: string) => boolean;
  /** Whether file systems that are mounted below the paths are left out. Default: no. */
  readonly oneFileSystem?: boolean;
  /** Default: by content. */
  readonly cut?: Cut;
  /** How many remote sites are wanted. */
  readonly copies: number;
  readonly store: SetStore;
  /** Folder of root's for caches. */
  readonly cacheFolder: string;
  /** Whether what the run before has seen is overwritten, names and all. Default: no. */
  readonly isSealed?: boolean;
  readonly now: () => number;
  /** Sealed bytes after which a portion is listed. Default: 256 MiB. */
  readonly portionBytes?: number;
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
  /** Why the caches were not written, such as a full disk: the next run reads every file. */
  readonly cacheTrouble: string | undefined;
}

/** @throws BackupError for what is wrong here; errors of the store as they come. */
export async function runBackup(request: RunRequest): Promise<RunOutcome> {
  saveMemory();
  const { cacheFolder, keys } = request;
  const outcome = await withSetLock(cacheFolder, keys.set, (folder) => runLocked(request, folder));
  if (outcome !== "busy") return outcome;
  throw new BackupError("E-BACKUP-BUSY", `Another run of "${keys.name}" is under way.`, {
    hint: "Wait for it to end.",
  });
}

async function runLocked(request: RunRequest, folder: string): Promise<RunOutcome> {
  const { keys, store } = request;
  if (request.before !== undefined) {
    // No dump of hours is made for paths that cannot be, or a daemon that is not there.
    planPaths(request.paths);
    await store.state();
    await request.before();
  }
  const journal = new RunJournal(join(folder, "journal"));
  const epoch = keys.epochs.at(-1);
  if (epoch === undefined) {
    throw new BackupError("E-BACKUP-EPOCH", `"${keys.name}" has no key to seal with.`, {
      hint: `Begin a new key epoch:  pleach keys rotate ${keys.name}`,
    });
  }
  const subject = {
    owner: keys.owner,
    set: keys.set,
    keyEpoch: epoch.epoch,
    setKey: keys.setKey,
    epochKey: epoch.key,
    capsule: epoch.capsule,
  };
  const plain = {
    owner: keys.owner,
    sealedName: keys.sealedName,
    keyEpoch: epoch.epoch,
    copies: request.copies,
  };
  const { before, line } = await runGround({ keys, store, folder, journal, plain });
  const levels = [SeenChunks.newLevel(before.chunks)];
  const commit = (head: Head | null, tables: readonly ShardTable[]) =>
    store.commit({
      ...plain,
      head,
      settled: head === null ? [] : line.settled,
      add: tables.flatMap(({ shard, sizeBytes }) =>
        shard === undefined ? [] : [[shard, sizeBytes]],
      ),
    });
  const portions = new Portions(
    async (tables) => void (await commit(null, tables)),
    journal,
    request.portionBytes ?? PORTION_BYTES,
  );
  const pool = new WorkerPool(
    { subject, cut: request.cut ?? "content" },
    levels,
    availableParallelism(),
    {
      put: (shard, bytes, onSent) => store.put(shard, bytes, onSent),
      onStored: (table) => portions.add(table),
    },
  );
  const figures = noFigures();
  let gathered: Awaited<ReturnType<typeof gather>> | undefined;
  try {
    for (const id of before.ids()) pool.seen.add(id);
    const trees = new TreeOutlet(pool);
    const ticking = setInterval(() => request.onProgress(figures, pool.storedBytes), 250);
    const parts = { pool, trees, setKey: keys.setKey, figures };
    try {
      gathered = await gather(request, {
        ...parts,
        folder,
        base: (line.base ?? before.base)?.root,
      });
    } finally {
      clearInterval(ticking);
    }
    trees.flush();
    const atMs = request.now();
    const { next, history } = line;
    const open = {
      set: keys.set,
      name: keys.name,
      ...next,
      atMs,
      paths: gathered.paths,
      tree: gathered.tree,
      index: before.newIndex ? [] : before.index,
      files: figures.files,
      bytes: figures.bytes,
      roomBytes: figures.roomBytes,
      unreadable: figures.unreadable.length,
      changed: figures.changed.length,
      doubts: firstDoubts([
        ...figures.unreadable,
        ...figures.changed.map((path) => ({ path, reason: "changed" })),
      ]),
      history,
    };
    const earlier = [...(before.newIndex ? before.tables : []), ...before.unfinished];
    const { root, record } = await pool.finish(earlier, open);
    const head: Head = { ...next, root, atMs };
    const added = pool.tables;
    const total = await commit(head, await portions.rest(added));
    // Without a cache, should this end here, the next run reads every file once more.
    if (request.isSealed === true) eraseFile(join(folder, "walk"));
    const walkTrouble = gathered.publish(root);
    const tables = [...before.tables, ...before.unfinished, ...added];
    const tableTrouble = writeTableCache(join(folder, "tables"), root, tables);
    journal.clear();
    return {
      head,
      figures,
      storedBytes: pool.storedBytes,
      storedShards: added.length,
      total,
      record,
      cacheTrouble: walkTrouble ?? tableTrouble,
    };
  } catch (error) {
    gathered?.abandon();
    throw error;
  } finally {
    await pool.close();
  }
}

/** Of the files, or of the stream, of a run. */
async function gather(
  { stream, paths, excluded, oneFileSystem = false, cut = "content", now }: RunRequest,
  parts: Omit<FilesParts, "plan" | "excluded" | "oneFileSystem">,
): Promise<Gathered & { readonly paths: readonly Uint8Array[] }> {
  if (stream === undefined) {
    const plan = planPaths(paths);
    return { ...(await gatherFiles({ ...parts, plan, excluded, oneFileSystem })), paths };
  }
  const tree = await gatherStream(stream, { ...parts, cut, now });
  const path = Buffer.concat([Buffer.from("/"), stream.fileName]);
  return { tree, paths: [path], publish: () => undefined, abandon: () => {} };
}
