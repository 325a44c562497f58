import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { OwnerId, SetId } from "../ids.ts";
import {
  LEAF_BYTES,
  SHARD_BYTES,
  merkleProof,
  merkleRoot,
  paddedShardBytes,
  shardIdOf,
  verifyRange,
} from "./shard-id.ts";

const owner = "11".repeat(32) as OwnerId;
const set = "22".repeat(16) as SetId;

function bytesOf(leaves: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(leaves * LEAF_BYTES);
  for (let at = 0, state = seed; at < bytes.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** RFC 6962 section 2.1, word by word. */
function oracle(leaves: readonly Uint8Array[]): Buffer {
  const sha = (...parts: Uint8Array[]): Buffer => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const [first] = leaves;
  assert.ok(first);
  if (leaves.length === 1) return sha(Buffer.of(0), first);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha(Buffer.of(1), oracle(leaves.slice(0, split)), oracle(leaves.slice(split)));
}

describe("the name of a shard", () => {
  it("has the tree of RFC 6962 for any number of leaves", () => {
    for (const count of [1, 2, 3, 5, 8, 13, 64, 65, 127]) {
      const bytes = bytesOf(count);
      const leaves = Array.from({ length: count }, (_, at) =>
        bytes.subarray(at * LEAF_BYTES, (at + 1) * LEAF_BYTES),
      );
      assert.deepEqual(Buffer.from(merkleRoot(bytes)), oracle(leaves), `${count} leaves`);
    }
  });

  it("changes with owner, set, size and any byte", () => {
    const bytes = bytesOf(3);
    const name = shardIdOf(owner, set, bytes);
    assert.notEqual(shardIdOf("12".repeat(32) as OwnerId, set, bytes), name);
    assert.notEqual(shardIdOf(owner, "23".repeat(16) as SetId, bytes), name);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        assert.notEqual(shardIdOf(owner, set, changed), name);
      }),
    );
  });

  it("refuses sizes that no shard has", () => {
    for (const size of [0, 1, LEAF_BYTES - 1, LEAF_BYTES + 1, SHARD_BYTES + LEAF_BYTES]) {
      assert.throws(() => shardIdOf(owner, set, new Uint8Array(size)), RangeError);
    }
  });
});

describe("ranges", () => {
  it("are proven one by one, and by nothing else", () => {
    const shape = fc.record({
      leaves: fc.integer({ min: 1, max: 40 }),
      width: fc.constantFrom(1, 2, 4, 8, 64),
      pick: fc.nat(),
      flip: fc.nat(),
    });
    fc.assert(
      fc.property(shape, ({ leaves, width, pick, flip }) => {
        const bytes = bytesOf(leaves, pick);
        const rangeBytes = width * LEAF_BYTES;
        const offsetBytes = (pick % Math.ceil(leaves / width)) * rangeBytes;
        const part = bytes.slice(offsetBytes, offsetBytes + rangeBytes);
        const range = {
          owner,
          set,
          shard: shardIdOf(owner, set, bytes),
          sizeBytes: bytes.length,
          offsetBytes,
          rangeBytes,
          bytes: part,
          proof: merkleProof(bytes, offsetBytes, rangeBytes),
        };
        assert.ok(verifyRange(range));
        assert.ok(!verifyRange({ ...range, proof: [...range.proof, new Uint8Array(32)] }));
        if (range.proof.length > 0) assert.ok(!verifyRange({ ...range, proof: [] }));
        const changed = Uint8Array.from(part);
        changed[flip % part.length] = (changed[flip % part.length] ?? 0) ^ 1;
        assert.ok(!verifyRange({ ...range, bytes: changed }));
      }),
      { numRuns: 60 },
    );
  });
});

describe("padding", () => {
  it("adds at most 12 % beyond a leaf and never shrinks", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: SHARD_BYTES }), (size) => {
        const padded = paddedShardBytes(size);
        assert.ok(padded >= size);
        assert.ok(padded <= Math.ceil(size / LEAF_BYTES) * LEAF_BYTES * 1.12);
        assert.equal(paddedShardBytes(padded), padded);
      }),
    );
    assert.throws(() => paddedShardBytes(SHARD_BYTES + 1), RangeError);
  });
});
