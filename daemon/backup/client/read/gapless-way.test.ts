import assert from "node:assert/strict";
import { it } from "node:test";
import { gaplessWay } from "./gapless-way.ts";

const way = (...pieces: readonly (readonly [from: number, to: number])[]) =>
  gaplessWay(
    pieces.map(([chunkOffset, end]) => ({ chunkOffset, end, chunkLength: 10 })),
    ({ chunkOffset, end }) => end - chunkOffset,
  )?.map(({ chunkOffset, end }) => [chunkOffset, end]);

it("finds the pieces that make a chunk, in order, whatever else there is of it", () => {
  const [a, b, c, d] = [
    [0, 4],
    [4, 10],
    [0, 7],
    [7, 10],
  ] as const;
  assert.deepEqual(way(a, b), [a, b]);
  assert.deepEqual(way(b, a), [a, b]);
  // Of a chunk that was cut at 4 only the first piece is left; it was stored anew, cut at 7.
  assert.deepEqual(way(a, c, d), [c, d]);
  assert.deepEqual(way(d, a, c), [c, d]);
  assert.equal(way(a, d), undefined);
  assert.equal(way(b, c), undefined);
  assert.equal(way(), undefined);
  assert.deepEqual(way([0, 10]), [[0, 10]]);
});
