import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type ListId, type ShardId } from "../../protocol/ids.ts";
import { groupOf, type ListEntry } from "../../protocol/list.ts";
import { nextLists, type GroupState } from "./next-lists.ts";

const MIB = 1024 * 1024;
const shard = (name: string | number): ShardId => idOf<ShardId>(sha256(String(name)));
const entry = (name: string | number, sizeBytes = 4 * MIB): ListEntry => ({
  shard: shard(name),
  sizeBytes,
});
const LIST = idOf<ListId>(sha256("list"));
const nothing = { add: [], remove: new Set<ShardId>(), root: null };

test("the first shards make the first list of the only group", () => {
  const lists = nextLists([], { ...nothing, add: [entry("a"), entry("b")] });
  assert.equal(lists.length, 1);
  assert.deepEqual(
    { ...lists[0], entries: lists[0]?.entries.length },
    { group: 0, groups: 1, generation: 1, previous: null, entries: 2 },
  );
});

test("nothing new is no new list; a new head alone is one", () => {
  const current = [{ generation: 7, list: LIST, entries: [entry("a")] }];
  assert.deepEqual(nextLists(current, { ...nothing, add: [entry("a")] }), []);
  const [list] = nextLists(current, { ...nothing, root: shard("a") });
  assert.equal(list?.generation, 8);
  assert.equal(list?.previous, LIST);
});

test("what is removed stands in no list any more", () => {
  const current = [{ generation: 1, list: LIST, entries: [entry("a"), entry("b")] }];
  const [list] = nextLists(current, { ...nothing, remove: new Set([shard("a")]) });
  assert.deepEqual(list?.entries, [entry("b")]);
});

test("a group above 16 GiB splits; both halves continue its chain and nothing is lost", () => {
  const many = Array.from({ length: 4097 }, (_, index) => entry(index));
  const current: GroupState[] = [{ generation: 3, list: LIST, entries: many.slice(0, 4096) }];
  const lists = nextLists(current, { ...nothing, add: many.slice(4096) });
  assert.deepEqual(
    lists.map(({ group, groups, generation, previous }) => [group, groups, generation, previous]),
    [
      [0, 2, 4, LIST],
      [1, 2, 4, LIST],
    ],
  );
  assert.equal(lists.flatMap(({ entries }) => entries).length, 4097);
  for (const { group, entries } of lists) {
    assert.ok(entries.every((one) => groupOf(one.shard, 2) === group));
  }
});

test("a later change touches only the groups it concerns", () => {
  const current: GroupState[] = [0, 1].map((group) => ({
    generation: 4,
    list: LIST,
    entries: [entry(`x${group}`)].filter((one) => groupOf(one.shard, 2) === group),
  }));
  const added = entry("y");
  const lists = nextLists(current, { ...nothing, add: [added] });
  assert.deepEqual(
    lists.map(({ group }) => group),
    [groupOf(added.shard, 2)],
  );
});
