import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { keepTables } from "./kept-tables.ts";

const table = (name: number, sizeBytes: number): ShardTable => ({
  shard: String(name).padStart(64, "0") as ShardId,
  sizeBytes,
  keyEpoch: 1,
  table: new Uint8Array(0),
});
const full = Array.from({ length: 5 }, (_, at) => table(at, SHARD_BYTES));
const remainders = (count: number): ShardTable[] =>
  Array.from({ length: count }, (_, at) => table(100 + at, 8192));
const listOf = (tables: readonly ShardTable[]): Set<ShardId> =>
  new Set(tables.flatMap(({ shard }) => shard ?? []));

describe("shards that a run builds on", () => {
  it("are all that the lists name, and the index stays", () => {
    const tables = [...full, ...remainders(32)];
    assert.deepEqual(keepTables(tables, listOf(tables), 1), { tables, newIndex: false });
  });

  it("are the full ones only, once too many are not full", () => {
    const tables = [...full, ...remainders(33)];
    assert.deepEqual(keepTables(tables, listOf(tables), 1), { tables: full, newIndex: true });
  });

  it("are not those that the lists no longer name", () => {
    const tables = [...full, ...remainders(2)];
    const kept = keepTables(tables, listOf(full), 1);
    assert.deepEqual(kept, { tables: full, newIndex: true });
  });

  it("get a new index when the old one is in too many pieces", () => {
    assert.deepEqual(keepTables(full, listOf(full), 32), { tables: full, newIndex: true });
  });
});
