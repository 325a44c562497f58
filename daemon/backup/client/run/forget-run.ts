/**
 * Forgets snapshots of a data set: a plan first, then one commit that takes from the lists what
 * only forgotten snapshots name.
 *
 * What a snapshot needs is told by its index, which names every shard that it was built on. A
 * snapshot whose record or index cannot be read ends the plan: it is never taken to need nothing.
 * Shards that no known snapshot names stay, too. While another newest snapshot stands beside the
 * head, all that its line needs stays, until a person has settled which one counts.
 */
import { join } from "node:path";
import { forgotten, isTired, type KeepRule } from "../../../core/backup/forget.ts";
import { lineOf, listedOf, type SnapshotLine } from "../../../core/backup/snapshot-line.ts";
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { decodeTable } from "../../../../protocol/backup/shard-table.ts";
import type { PastSnapshot, SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import { ChunkLocator } from "../seal/chunk-locator.ts";
import { BackupError } from "../error.ts";
import { liveChunks } from "../seal/live-chunks.ts";
import type { SetStore } from "../port.ts";
import { writeForgotten } from "./forgotten-snapshots.ts";
import { RunJournal } from "./run-journal.ts";
import type { SetKeyFile } from "../keys/set-key-file.ts";
import { withSetLock } from "./set-lock.ts";
import { ShardReader } from "../shard-reader.ts";
import { SnapshotShards } from "../verify/snapshot-shards.ts";
import { writeTired } from "../seal/tired-shards.ts";
import { WalkCache } from "../read/walk-cache.ts";

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
  /** Roots of snapshots that the history names and that were forgotten before. */
  readonly earlier: readonly ShardId[];
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
    writeForgotten(folder, [...plan.earlier, ...plan.forgotten.map(({ root }) => root)]);
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
  const { head, tips, shards } = state;
  const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
  const { owner, set, setKey } = keys;
  const reader = new ShardReader(store, { owner, set, setKey, epochs });
  const newest = await reader.snapshot(head.root);
  const shardsOf = new SnapshotShards(reader);
  const line = lineOf(head.root, newest);
  const left = await shardsOf.left(line.slice(0, -1), shards);
  const all: SnapshotLine = [...left, ...line.slice(-1)];
  const earlier = listedOf(line, shards)
    .filter((one) => !all.includes(one))
    .map(({ root }) => root);
  const gone = new Set(forgotten(all, rules, nowMs));
  const kept = all.filter((snapshot) => !gone.has(snapshot));
  const beside = listedOf(await besideOf(reader, tips, all), shards);
  const needed = new Set((await shardsOf.of([...kept, ...beside])).keys());
  for (const { shard } of new RunJournal(join(folder, "journal")).read()) {
    if (shard !== undefined) needed.add(shard);
  }
  const droppable = await shardsOf.of([...gone]);
  const remove = [...droppable.keys()].filter((shard) => shards.has(shard) && !needed.has(shard));
  const tired = await tiredShards(reader, newest, head.root, folder);
  return { kept, forgotten: [...gone], earlier, remove, tired };
}

/** Snapshots of other lines that are in none of ours. @throws when one of them cannot be read. */
async function besideOf(
  reader: ShardReader,
  tips: readonly Head[],
  own: readonly PastSnapshot[],
): Promise<PastSnapshot[]> {
  const known = new Set(own.map(({ root }) => root));
  const beside = new Map<ShardId, PastSnapshot>();
  for (const { root } of tips) {
    for (const snapshot of lineOf(root, await reader.snapshot(root))) {
      if (!known.has(snapshot.root)) beside.set(snapshot.root, snapshot);
    }
  }
  return [...beside.values()];
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
