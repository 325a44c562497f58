import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { mutateShards } from "./shard-mutations.ts";

test("each of 3,000 mutated shards is refused, by its name and by its seals", () => {
  const { cases, same, missed } = mutateShards(new SeededRandom(1), 3000);
  assert.deepEqual(missed, []);
  assert.ok(same < cases / 10, `${same} of ${cases} were as before`);
});
