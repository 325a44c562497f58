import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { idOf, sha256, type OwnerId, type SetId } from "../ids.ts";
import { LEAF_BYTES, RANGE_BYTES, SHARD_BYTES, shardIdOf } from "./shard-id.ts";
import { areRootsOf, isRange, MAX_ROOTS_BYTES, rangeRoots } from "./shard-ranges.ts";

const owner = idOf<OwnerId>(sha256("owner"));
const set = "00112233445566778899aabbccddeeff" as SetId;

function someBytes(leaves: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(leaves * LEAF_BYTES);
  for (let at = 0; at < bytes.length; at += 32) bytes.set(sha256(`${seed} ${at}`), at);
  return bytes;
}

describe("ranges of a shard", () => {
  it("are proven by their roots, whatever the size", () => {
    const shape = fc.record({
      leaves: fc.constantFrom(1, 3, 63, 64, 65, 128, 131, 200, 321),
      seed: fc.nat(1000),
      flip: fc.nat(),
    });
    fc.assert(
      fc.property(shape, ({ leaves, seed, flip }) => {
        const bytes = someBytes(leaves, seed);
        const name = { owner, set, shard: shardIdOf(owner, set, bytes), sizeBytes: bytes.length };
        const roots = rangeRoots(bytes);
        assert.ok(areRootsOf(name, roots));
        const wrong = Uint8Array.from(roots);
        wrong[flip % wrong.length] = (wrong[flip % wrong.length] ?? 0) ^ 1;
        assert.ok(!areRootsOf(name, wrong));
        assert.ok(!areRootsOf(name, roots.subarray(1)));
        assert.ok(!areRootsOf({ ...name, sizeBytes: name.sizeBytes + LEAF_BYTES }, roots));
        for (let at = 0; at < bytes.length; at += RANGE_BYTES) {
          const range = Uint8Array.from(bytes.subarray(at, at + RANGE_BYTES));
          assert.ok(isRange(bytes.length, roots, at, range));
          assert.ok(!isRange(bytes.length, roots, at, range.subarray(LEAF_BYTES)));
          assert.ok(!isRange(bytes.length, roots, at + LEAF_BYTES, range));
          range[flip % range.length] = (range[flip % range.length] ?? 0) ^ 1;
          assert.ok(!isRange(bytes.length, roots, at, range));
        }
      }),
      { numRuns: 20 },
    );
  });

  it("have 512 bytes of roots in a full shard", () => {
    const roots = rangeRoots(new Uint8Array(SHARD_BYTES));
    assert.equal(roots.length, 512);
    assert.equal(MAX_ROOTS_BYTES, 512);
  });
});
