import assert from "node:assert/strict";
import { test } from "node:test";
import { groupOf, MAX_LIST_ENTRIES, type ListEntry } from "../../../../protocol/backup/list.ts";
import { idOf, sha256, type ShardId } from "../../../../protocol/ids.ts";
import { unionOf } from "./union-of-lists.ts";

const entries = (count: number, name: string): ListEntry[] =>
  Array.from({ length: count }, (_none, at) => ({
    shard: idOf<ShardId>(sha256(`${name} ${at}`)),
    sizeBytes: 4096,
  }));
const header = { group: 1, groups: 4 } as Parameters<typeof unionOf>[0]["header"];
const mine = entries(40, "ours").filter(({ shard }) => groupOf(shard, 4) === 1);

test("names what either names, each shard once", () => {
  const theirs = entries(40, "theirs").filter(({ shard }) => groupOf(shard, 4) === 1);
  const union = unionOf({ header, entries: mine }, [...theirs, ...mine.slice(0, 3)]);
  assert.deepEqual(new Set(union), new Set([...mine, ...theirs]));
  assert.equal(union.length, mine.length + theirs.length);
});

test("leaves out what belongs into other groups, and a flood that has no room", () => {
  const strays = entries(40, "theirs").filter(({ shard }) => groupOf(shard, 4) !== 1);
  assert.deepEqual(unionOf({ header, entries: mine }, strays), mine);
  const flood = entries(MAX_LIST_ENTRIES, "flood");
  const one = { ...header, group: 0, groups: 1 };
  assert.deepEqual(unionOf({ header: one, entries: mine }, flood), mine);
});
