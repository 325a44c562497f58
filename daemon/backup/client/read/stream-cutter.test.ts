import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { cutLength, gearTable } from "../../../../protocol/backup/chunk-cut.ts";
import { MAX_CHUNK_BYTES } from "../../../../protocol/backup/chunk.ts";
import { StreamCutter } from "./stream-cutter.ts";

const MIB = 1024 * 1024;
const gear = gearTable(new Uint8Array(32).fill(3));

/** @param sizes - Lengths of the parts that come, again and again. */
function cut(bytes: Uint8Array, sizes: readonly number[], by: Int32Array | undefined) {
  const cutter = new StreamCutter(by);
  const portions = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    portions.push(...cutter.add(bytes.subarray(at, at + size)));
    at += size;
  }
  const last = cutter.end();
  if (last !== undefined) portions.push(last);
  assert.ok(Buffer.concat(portions.map((portion) => portion.bytes)).equals(bytes));
  for (const { bytes: given, lengths } of portions) {
    assert.equal(
      lengths.reduce((sum, length) => sum + length, 0),
      given.length,
    );
  }
  return portions.flatMap(({ lengths }) => [...lengths]);
}

describe("a stream", () => {
  it("is cut as a file with the same bytes, however they come", () => {
    const bytes = randomBytes(21 * MIB + 12_345);
    const expected: number[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = cutLength(gear, bytes, at, bytes.length);
      expected.push(length);
      at += length;
    }
    for (const sizes of [[65_536], [1, 999_999, 17], [9 * MIB], [bytes.length]]) {
      assert.deepEqual(cut(bytes, sizes, gear), expected, sizes.join());
    }
  });

  it("is cut at each 4 MiB where that is wanted", () => {
    const lengths = cut(randomBytes(9 * MIB), [65_536], undefined);
    assert.deepEqual(lengths, [MAX_CHUNK_BYTES, MAX_CHUNK_BYTES, MIB]);
  });

  it("of nothing has no portion", () => {
    assert.equal(new StreamCutter(gear).end(), undefined);
  });
});
