import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type ChainId, type ShardId } from "../../../protocol/ids.ts";
import type { PastSnapshot } from "../../../protocol/backup/snapshot.ts";
import { joinLines, leadsThrough, listedOf } from "./snapshot-line.ts";

function at(chain: string, number: number, name = `${chain}${number}`, atMs = number) {
  const id = idOf<ChainId>(sha256(chain).subarray(0, 16));
  const root = idOf<ShardId>(sha256(name));
  return { chain: id, number, root, atMs, files: 0, bytes: 0 } satisfies PastSnapshot;
}

test("a line leads through what it names and itself, and through what was forgotten of it", () => {
  const line = [at("c", 1), at("c", 4), at("d", 2)];
  for (const one of line) assert.ok(leadsThrough(line, one));
  assert.ok(leadsThrough(line, at("c", 3)));
  assert.ok(leadsThrough(line, at("d", 1)));
});

test("a line does not lead through what another one has at the same place, nor further on", () => {
  const line = [at("c", 1), at("c", 4), at("d", 2)];
  assert.ok(!leadsThrough(line, at("c", 4, "other")));
  assert.ok(!leadsThrough(line, at("c", 5)));
  assert.ok(!leadsThrough(line, at("d", 3)));
  assert.ok(!leadsThrough(line, at("e", 1)));
  assert.ok(!leadsThrough([], at("c", 1)));
});

test("two snapshots at one place of a chain are both in the history that joins their lines", () => {
  const [one, other] = [at("c", 2, "one", 20), at("c", 2, "other", 25)];
  const joined = joinLines([
    [at("c", 1), one, at("c", 3, "c3", 30)],
    [at("c", 1), other],
  ]);
  assert.deepEqual(
    joined.map(({ root }) => root),
    [at("c", 1), one, other, at("c", 3)].map(({ root }) => root),
  );
  assert.ok(leadsThrough(joined, one) && leadsThrough(joined, other));
});

test("what was forgotten is left out of a line, in its order", () => {
  const [first, second, third] = [at("c", 1), at("c", 2), at("d", 1)];
  assert.deepEqual(listedOf([first, second, third], new Set([third.root, first.root])), [
    first,
    third,
  ]);
});
