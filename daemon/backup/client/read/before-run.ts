/**
 * What a run finds when it begins: the newest snapshot, which chunks are stored already, and what
 * an unfinished run has left.
 */
import { join } from "node:path";
import { listedOf } from "../../../core/backup/snapshot-line.ts";
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import { decodeTable } from "../../../../protocol/backup/shard-table.ts";
import type { PastSnapshot, SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import { keepTables } from "../seal/kept-tables.ts";
import type { SetState, SetStore } from "../port.ts";
import type { RunJournal } from "../run/run-journal.ts";
import type { SetKeyFile } from "../keys/set-key-file.ts";
import { ShardReader } from "../shard-reader.ts";
import { readTired } from "../seal/tired-shards.ts";
import { readTableCache } from "../seal/table-cache.ts";

/** What earlier runs left that this one builds on. */
export interface Before {
  /** The head of the newest list; null for a first run. */
  readonly base: Head | null;
  /** Tables of the shards that this run builds on. */
  readonly tables: readonly ShardTable[];
  /** Tables of listed shards that an unfinished run left; they stand in no index yet. */
  readonly unfinished: readonly ShardTable[];
  /** Whether `tables` have to be written into a new index. */
  readonly newIndex: boolean;
  readonly index: SnapshotRecord["index"];
  readonly history: readonly PastSnapshot[];
  /** How many chunks the tables name. */
  readonly chunks: number;
  ids(): Iterable<Uint8Array>;
}

/**
 * @param folder - Of the caches of this set.
 * @throws BackupError when the newest snapshot cannot be read.
 */
export async function readBefore(
  keys: SetKeyFile,
  store: SetStore,
  folder: string,
  journal: RunJournal,
  state: SetState | undefined,
): Promise<Before> {
  const head = state?.head ?? null;
  if (state === undefined || head === null) {
    const unfinished = unfinishedTables(journal, state, []);
    return {
      base: null,
      tables: [],
      unfinished,
      newIndex: false,
      index: [],
      history: [],
      chunks: countChunks(unfinished),
      ids: () => chunkIdsOf(unfinished),
    };
  }
  const epochs = new Map(keys.epochs.map(({ epoch, key }) => [epoch, key]));
  const { owner, set, setKey } = keys;
  const reader = new ShardReader(store, { owner, set, setKey, epochs });
  const newest = state.shards.has(head.root) ? await reader.snapshot(head.root) : undefined;
  const index = (newest?.index ?? []).filter(({ shard = head.root }) => state.shards.has(shard));
  let tables = readTableCache(join(folder, "tables"), head.root);
  if (tables === undefined && newest !== undefined) {
    tables = [];
    const found = reader.tables(head.root, { ...newest, index });
    for await (const table of found) tables.push(table);
  }
  tables ??= [];
  const kept = keepTables(tables, state.shards.difference(readTired(folder)), index.length);
  // An index of which a part is lost does not say where everything is.
  const newIndex = kept.newIndex || newest === undefined || index.length < newest.index.length;
  const unfinished = unfinishedTables(journal, state, tables);
  const all = [...kept.tables, ...unfinished];
  return {
    base: head,
    tables: kept.tables,
    newIndex,
    unfinished,
    index: index.map(({ shard = head.root, frame }) => ({ shard, frame })),
    history: listedOf(await historyOf(reader, state, head, newest), state.shards),
    chunks: countChunks(all),
    ids: () => chunkIdsOf(all),
  };
}

/** The snapshots so far. One whose record is lost is left out, with what only it could tell. */
async function historyOf(
  reader: ShardReader,
  { shards }: SetState,
  { chain, number, root, atMs, previous }: Head,
  newest: SnapshotRecord | undefined,
): Promise<readonly PastSnapshot[]> {
  if (newest !== undefined) {
    const { files, bytes, history } = newest;
    return [...history, { chain, number, root, atMs, files, bytes }];
  }
  if (previous === null || !shards.has(previous)) return [];
  const record = await reader.snapshot(previous);
  const { files, bytes } = record;
  const before = { chain: record.chain, number: record.number, root: previous };
  return [...record.history, { ...before, atMs: record.atMs, files, bytes }];
}

function unfinishedTables(
  journal: RunJournal,
  state: SetState | undefined,
  indexed: readonly ShardTable[],
): ShardTable[] {
  const known = new Set(indexed.map(({ shard }) => shard));
  return journal.read().filter(({ shard }) => {
    return shard !== undefined && state?.shards.has(shard) === true && !known.has(shard);
  });
}

/** About: a piece takes 36 bytes of a table. */
function countChunks(tables: readonly ShardTable[]): number {
  return tables.reduce((sum, { table }) => sum + table.length / 36, 0);
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
