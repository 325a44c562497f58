import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type ListId, type ShardId } from "../../../protocol/ids.ts";
import type { MeshId, OwnerId, SetId, SiteId } from "../../../protocol/ids.ts";
import {
  groupOf,
  listId,
  openList,
  signList,
  type ListEntry,
} from "../../../protocol/backup/list.ts";
import { NO_RULES } from "../../../protocol/logs/record.ts";
import { signingKey } from "../../../protocol/keys/signature.ts";
import { placeGroup, type Candidate } from "./placement.ts";
import { nextLists, type GroupState } from "./next-lists.ts";

const MIB = 1024 * 1024;
const shard = (name: string | number): ShardId => idOf<ShardId>(sha256(String(name)));
const entry = (name: string | number, sizeBytes = 4 * MIB): ListEntry => ({
  shard: shard(name),
  sizeBytes,
});
const LIST = idOf<ListId>(sha256("list"));
const SET = "00112233445566778899aabbccddeeff" as SetId;
const PLACE = { group: 0, groups: 1, generation: 1 };
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

test("lists of halves are sound, name the one they came from, and the same sites hold them", () => {
  const many = Array.from({ length: 4097 }, (_, index) => entry(index));
  const key = signingKey(sha256("site"));
  const fields = {
    ...{ mesh: idOf<MeshId>(sha256("mesh")), owner: idOf<OwnerId>(sha256("owner")), set: SET },
    ...{ sealedName: new Uint8Array(8), keyEpoch: 0, copies: 3, head: null },
  };
  const whole = signList(key, { ...fields, ...PLACE, previous: null }, many.slice(0, 4096));
  const id = listId(whole.header);
  const current: GroupState[] = [{ generation: 1, list: id, entries: openList(whole).entries }];
  const halves = nextLists(current, { ...nothing, add: many.slice(4096) }).map((next) => {
    const { entries, ...place } = next;
    return openList(signList(key, { ...fields, ...place }, entries));
  });
  assert.deepEqual(
    halves.map(({ header: { group, groups, previous } }) => [group, groups, previous]),
    [
      [0, 2, id],
      [1, 2, id],
    ],
  );
  const names = halves.flatMap(({ entries }) => entries.map((one) => one.shard));
  assert.deepEqual(names.toSorted(), many.map((one) => one.shard).toSorted());
  // Both halves are placed with the holders of the whole: nobody gets or loses a shard.
  const sites = Array.from("abcdefgh", (name) => holder(name));
  const asked = { set: SET, copies: 3, rules: NO_RULES, candidates: sites, from: holder("home") };
  const before = placeGroup({ ...asked, group: 0, sizeBytes: 1, current: [] }).targets;
  for (const { header } of halves) {
    const request = { ...asked, group: header.group, sizeBytes: header.bytes, current: before };
    assert.deepEqual(placeGroup(request).targets, before);
  }
});

/** A site whose room is used up by what it holds. */
function holder(name: string): Candidate {
  return {
    ...{ siteId: idOf<SiteId>(sha256(name)), spaceBytes: 1000, freeBytes: 10, lends: true },
    domains: { building: "", power: "", uplink: "", country: "" },
    ...{ org: name, operator: name },
  };
}

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
