import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { idOf, sha256, type ShardId } from "../../../protocol/ids.ts";
import { chooseLeaves, LEAVES_IN_ROUND, spreadLeaves, wholesInTurn } from "./audit-choice.ts";

const MIB = 1024 * 1024;
const random = new SeededRandom(17);
const draw = (limit: number): number => random.below(limit);
const entries = Array.from({ length: 1000 }, (_, at) => ({
  shard: idOf<ShardId>(sha256(`shard ${at}`)),
  sizeBytes: at % 10 === 0 ? 8192 : 4 * MIB,
}));

test("leaves lie inside their shards, and no leaf is asked twice", () => {
  const items = chooseLeaves(2, entries, 5000, draw);
  const names = new Set(items.map(({ shard, leaf }) => `${shard}/${leaf}`));
  assert.equal(names.size, items.length);
  assert.ok(items.length > 4900);
  for (const { leaf, sizeBytes } of items) assert.ok(leaf !== null && leaf * 4096 < sizeBytes);
});

test("a large shard is asked for as much more often as it is larger", () => {
  const large = { shard: idOf<ShardId>(sha256("large")), sizeBytes: 4 * MIB };
  const small = { shard: idOf<ShardId>(sha256("small")), sizeBytes: MIB };
  let hits = 0;
  for (let round = 0; round < 2000; round++) {
    const [item] = chooseLeaves(0, [small, large], 1, draw);
    if (item?.shard === large.shard) hits++;
  }
  assert.ok(hits > 1500 && hits < 1700, `${hits} of 2000; 1600 expected`);
});

test("a set that has no more leaves than are asked for gets them all, sooner or later", () => {
  const one = [{ shard: idOf<ShardId>(sha256("tiny")), sizeBytes: 8192 }];
  const leaves = new Set(chooseLeaves(0, one, 70, draw).map(({ leaf }) => leaf));
  assert.deepEqual(leaves, new Set([0, 1]));
  assert.deepEqual(chooseLeaves(0, [], 70, draw), []);
});

test("groups get leaves by their bytes, all together as many as asked", () => {
  const counts = spreadLeaves(
    [
      { group: 0, bytes: 3 },
      { group: 7, bytes: 1 },
    ],
    4000,
    draw,
  );
  assert.equal(
    [...counts.values()].reduce((sum, count) => sum + count, 0),
    4000,
  );
  const last = counts.get(7) ?? 0;
  assert.ok(last > 850 && last < 1150, `${last}`);
  assert.equal(spreadLeaves([], 70, draw).size, 0);
});

test("every shard is asked whole exactly once in so many rounds", () => {
  for (const rounds of [1, 7, 30]) {
    const seen = new Map<ShardId, number>();
    for (let round = 100; round < 100 + rounds; round++) {
      for (const { shard } of wholesInTurn(0, entries, round, rounds)) {
        seen.set(shard, (seen.get(shard) ?? 0) + 1);
      }
    }
    assert.equal(seen.size, entries.length);
    assert.ok([...seen.values()].every((times) => times === 1));
  }
});

test("a week of rounds finds a loss of 1 % in at least 98 of 100 stores", () => {
  let found = 0;
  for (let store = 0; store < 300; store++) {
    const lost = new Set(
      random
        .shuffled(entries)
        .slice(0, 10)
        .map(({ shard }) => shard),
    );
    for (let round = 0; round < 7; round++) {
      const asked = chooseLeaves(0, entries, LEAVES_IN_ROUND, draw);
      if (!asked.some(({ shard }) => lost.has(shard))) continue;
      found++;
      break;
    }
  }
  assert.ok(found >= 294, `${found} of 300`);
});
