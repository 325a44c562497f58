/**
 * Forgets snapshots of a data set: a plan first, then one commit that takes from the lists what
 * only forgotten snapshots name.
 *
 * What a snapshot needs is told by its index, which names every shard that it was built on. A
 * snapshot whose record or index cannot be read ends the plan: it is never taken to need nothing.
 * Shards that no known snapshot names stay, too: they may be another chain's.
 */
import { join } from "node:path";
import { forgotten, isTired, type KeepRule } from "../../core/forget.ts";
import type { ShardTable } from "../../../protocol/chunk-index.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import { decodeTable } from "../../../protocol/shard-table.ts";
import type { PastSnapshot, SnapshotRecord } from "../../../protocol/snapshot.ts";
import { ChunkLocator } from "./chunk-locator.ts";
import { BackupError } from "./error.ts";
import { liveChunks } from "./live-chunks.ts";
import type { SetStore } from "./port.ts";
import { RunJournal } from "./run-journal.ts";
import type { SetKeyFile } from "./set-key-file.ts";
import { withSetLock } from "./set-lock.ts";
import { ShardReader } from "./shard-reader.ts";
import { writeTired } from "./tired-shards.ts";
import { WalkCache } from "./walk-cache.ts";

export interface ForgetRequest {
  readonly keys: SetKeyFile;
  readonly store: SetStore;
  /** Folder of root's for caches. */
  readonly cacheFolder: string;
  readonly rules: readonly KeepRule[];
  readonly nowMs: number;
  /** Remote sites wanted, and the key epoch of the newest commit, as they are now. */
  readonly copies: number;
  readonly keyEpoch: number;
  /** Shows the plan; nothing happens unless it resolves to true. */
  readonly confirm: (plan: ForgetPlan) => Promise<boolean>;
}

export interface ForgetPlan {
  readonly kept: readonly PastSnapshot[];
  readonly forgotten: readonly PastSnapshot[];
  /** Shards that leave the lists. */
  readonly remove: readonly ShardId[];
  /** Shards of which the next run stores anew what is still used. */
  readonly tired: readonly ShardId[];
}

/**
 * @returns the plan, and whether it was carried out.
 * @throws BackupError when a run is under way, there is no snapshot, or one cannot be read.
 */
export async function runForget(
  request: ForgetRequest,
): Promise<{ readonly plan: ForgetPlan; readonly done: boolean }> {
  const { keys, store, copies, keyEpoch } = request;
  const outcome = await withSetLock(request.cacheFolder, keys.set, async (folder) => {
    const plan = await planForget(request, folder);
    if (!(await request.confirm(plan))) return { plan, done: false };
    writeTired(folder, plan.tired);
    if (plan.remove.length > 0) {
      const { owner, sealedName } = keys;
      const { remove } = plan;
      await store.commit({ owner, sealedName, keyEpoch, copies, head: null, add: [], remove });
    }
    return { plan, done: true };
  });
  if (outcome !== "busy") return outcome;
  throw new BackupError("E-BACKUP-BUSY", `A run of "${keys.name}" is under way.`, {
    hint: "Wait for it to end.",
  });
}

async function planForget(
  { keys, store, rules, nowMs }: ForgetRequest,
  folder: string,
): Promise<ForgetPlan> {
  const state = await store.state();
  if (state === undefined || state.head === null) {
    throw new BackupError("E-BACKUP-UNKNOWN", `The data set "${keys.name}" has no snapshot.`, {
      hint: `Run it:  pleach backup run ${keys.name}`,
    });
  }
  const { head, shards } = state;
  const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
  const { owner, set, setKey } = keys;
  const reader = new ShardReader(store, { owner, set, setKey, epochs });
  const newest = await reader.snapshot(head.root);
  const { chain, number, atMs, files, bytes } = newest;
  const all = [...newest.history, { chain, number, root: head.root, atMs, files, bytes }].filter(
    ({ root }) => shards.has(root),
  );
  const gone = new Set(forgotten(all, rules, nowMs));
  const kept = all.filter((snapshot) => !gone.has(snapshot));
  const indexes = new Map<string, readonly ShardId[]>();
  const needed = await shardsOf(reader, kept, indexes);
  for (const { shard } of new RunJournal(join(folder, "journal")).read()) {
    if (shard !== undefined) needed.add(shard);
  }
  const droppable = await shardsOf(reader, [...gone], indexes);
  const remove = [...droppable].filter((shard) => shards.has(shard) && !needed.has(shard));
  const tired = await tiredShards(reader, newest, head.root, folder);
  return { kept, forgotten: [...gone], remove, tired };
}

/** All shards that snapshots need. @param indexes - What frames of indexes name, once read. */
export async function shardsOf(
  reader: ShardReader,
  snapshots: readonly PastSnapshot[],
  indexes: Map<string, readonly ShardId[]>,
): Promise<Set<ShardId>> {
  const needed = new Set<ShardId>();
  for (const { root } of snapshots) {
    const record = await reader.snapshot(root);
    needed.add(root);
    for (const { shard = root, frame } of record.index) {
      needed.add(shard);
      const address = `${shard}:${frame}`;
      const named = indexes.get(address) ?? (await namedBy(reader, record, shard, frame));
      indexes.set(address, named);
      for (const one of named) needed.add(one);
    }
  }
  return needed;
}

async function namedBy(
  reader: ShardReader,
  record: SnapshotRecord,
  shard: ShardId,
  frame: number,
): Promise<readonly ShardId[]> {
  const named: ShardId[] = [];
  for await (const table of reader.tables(shard, { ...record, index: [{ shard, frame }] })) {
    if (table.shard !== undefined) named.push(table.shard);
  }
  return named;
}

/** Shards of the newest index of which the newest snapshot uses less than half. */
async function tiredShards(
  reader: ShardReader,
  newest: SnapshotRecord,
  root: ShardId,
  folder: string,
): Promise<ShardId[]> {
  const tables: ShardTable[] = [];
  const locator = new ChunkLocator();
  for await (const table of reader.tables(root, newest)) {
    tables.push(table);
    locator.add(table, ["tree"]);
  }
  const live = await liveChunks(reader, newest, locator, () =>
    WalkCache.open(join(folder, "walk"), root),
  );
  // Without either it cannot be told; the forgetting after the next run can.
  if (live === undefined) return [];
  return tables.flatMap(({ shard, table }) => {
    let liveBytes = 0;
    let contentBytes = 0;
    for (const { kind, pieces } of decodeTable(table)) {
      if (kind !== "data" && kind !== "tree") continue;
      for (const { chunkId, length } of pieces) {
        contentBytes += length;
        if (live.has(Buffer.from(chunkId).toString("latin1"))) liveBytes += length;
      }
    }
    return shard !== undefined && isTired(liveBytes, contentBytes) ? [shard] : [];
  });
}
