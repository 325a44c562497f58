import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cutLength, gearTable, MIN_CUT_BYTES } from "./chunk-cut.ts";
import { MAX_CHUNK_BYTES } from "./chunk.ts";

const gear = gearTable(new Uint8Array(32).fill(1));

function noise(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const words = new Uint32Array(bytes.buffer);
  let state = seed;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return bytes;
}

/** The ends of all chunks, as a reader finds them that has `window` bytes at a time. */
function cuts(bytes: Uint8Array, window: number): readonly number[] {
  const ends: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + Math.max(window, MAX_CHUNK_BYTES));
    at += cutLength(gear, bytes, at, end);
    ends.push(at);
  }
  return ends;
}

const MIB = 1024 * 1024;
const data = noise(24 * MIB, 7);
const ends = cuts(data, data.length);

describe("cutting", () => {
  it("does not depend on how much was read at a time", () => {
    assert.deepEqual(cuts(data, MAX_CHUNK_BYTES), ends);
    assert.deepEqual(cuts(Uint8Array.from(data), 7 * MIB), ends);
  });

  it("cuts at the first sum, byte after byte, that has enough zero bits", () => {
    const table = gearTable(new Uint8Array(32).fill(3));
    for (const length of [MIN_CUT_BYTES + 1, MIN_CUT_BYTES + 2, MIB + 1, 5 * MIB + 3]) {
      for (let start = 0; start + length < data.length; start += length) {
        let [at, sum] = [start + MIN_CUT_BYTES, 0];
        const end = start + Math.min(length, MAX_CHUNK_BYTES);
        for (let zeros = 0, wanted = 22; at < end && zeros < wanted; at++) {
          sum = ((sum << 1) + (table[data[at] ?? 0] ?? 0)) | 0;
          wanted = at + 1 - start <= MIB ? 22 : 18;
          zeros = sum >>> (32 - wanted) === 0 ? wanted : 0;
        }
        assert.equal(cutLength(table, data, start, start + length), at - start);
      }
    }
  });

  it("makes chunks of 256 KiB to 4 MiB, about 1 MiB on average", () => {
    const sizes = ends.map((end, at) => end - (ends[at - 1] ?? 0));
    assert.ok(sizes.slice(0, -1).every((size) => size > MIN_CUT_BYTES && size <= MAX_CHUNK_BYTES));
    const average = data.length / sizes.length;
    assert.ok(average > 0.7 * MIB && average < 1.8 * MIB, `${average}`);
    assert.equal(ends.at(-1), data.length);
  });

  it("cuts where it cut before, but around an insertion", () => {
    const at = 9 * MIB + 12_345;
    const inserted = Buffer.concat([data.subarray(0, at), Buffer.from("new"), data.subarray(at)]);
    const after = new Set(cuts(inserted, inserted.length));
    const kept = ends.filter((end) => after.has(end < at ? end : end + 3));
    assert.ok(kept.length >= ends.length - 3, `${kept.length} of ${ends.length}`);
  });

  it("cuts elsewhere with another key", () => {
    const other = gearTable(new Uint8Array(32).fill(2));
    assert.notEqual(cutLength(other, data, 0, data.length), ends[0]);
  });

  it("leaves small files whole, and cuts sameness at 4 MiB", () => {
    assert.equal(cutLength(gear, data, 0, MIN_CUT_BYTES), MIN_CUT_BYTES);
    assert.equal(cutLength(gear, data, 5, 6), 1);
    assert.equal(cutLength(gear, new Uint8Array(6 * MIB), 0, 6 * MIB), MAX_CHUNK_BYTES);
  });
});
