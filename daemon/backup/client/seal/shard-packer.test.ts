import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { unpackFrame } from "../../../../protocol/backup/frame.ts";
import { sealedBytes, tableOf } from "../../../../protocol/backup/sealed-shard.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { FrameCodec } from "./frame-codec.ts";
import { FRAME_BYTES, ShardPacker, type CheckedFrame } from "./shard-packer.ts";

const KIB = 1024;
const codec = new FrameCodec(FRAME_BYTES);

/** Frames that stay valid when the packer goes on. */
const copyOf = (frames: readonly CheckedFrame[]): readonly CheckedFrame[] =>
  frames.map((frame) => ({ ...frame, content: frame.content.slice() }));

/** Bytes that zstd can halve, or not at all. */
function content(size: number, seed: number, noisy: boolean): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed * 2654435761 + 1;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = noisy ? state >>> 24 : state >>> 28;
  }
  return bytes;
}

const idOf = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

/** Puts all pieces of all frames together again, by chunk. */
function gather(frames: readonly CheckedFrame[]): ReadonlyMap<string, Uint8Array> {
  const chunks = new Map<string, Uint8Array>();
  for (const frame of frames) {
    const plaintext = unpackFrame(frame.codec, frame.content, frame.plainLength);
    assert.ok(plaintext);
    let at = 0;
    for (const { chunkId, length, chunkOffset, chunkLength } of frame.pieces) {
      const key = Buffer.from(chunkId).toString("hex");
      const chunk = chunks.get(key) ?? new Uint8Array(chunkLength);
      chunk.set(plaintext.subarray(at, at + length), chunkOffset);
      chunks.set(key, chunk);
      at += length;
    }
    assert.equal(at, frame.plainLength);
  }
  return chunks;
}

describe("packing", () => {
  it("loses no byte, fits every shard, and wastes less than 2 % of a full one", () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 40 * KIB }), fc.constant(900 * KIB));
    const chunk = fc.tuple(size, fc.nat(1000), fc.boolean());
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 25 }), (given) => {
        const shards: (readonly CheckedFrame[])[] = [];
        const packer = new ShardPacker((frames) => shards.push(copyOf(frames)), codec);
        const chunks = given.map(([length, seed, noisy]) => content(length, seed, noisy));
        for (const bytes of chunks) packer.add("data", idOf(bytes), bytes);
        // Closing the last frame may fill a shard, so this comes before the shards are counted.
        const open = packer.frames();
        for (const frames of shards) {
          const needed = sealedBytes(frames, tableOf(frames).length);
          assert.ok(needed <= SHARD_BYTES, `${needed}`);
          assert.ok(needed > SHARD_BYTES * 0.98, `${needed}`);
        }
        const found = gather([...shards.flat(), ...open]);
        for (const bytes of chunks) {
          const back = found.get(Buffer.from(idOf(bytes)).toString("hex"));
          assert.ok(back !== undefined && Buffer.compare(back, bytes) === 0);
        }
      }),
      { numRuns: 12 },
    );
  });

  it("fills shards with very small files, whose table takes most of the room", () => {
    const shards: (readonly CheckedFrame[])[] = [];
    const packer = new ShardPacker((frames) => shards.push(copyOf(frames)), codec);
    const tiny = Array.from({ length: 150_000 }, (_, at) => Buffer.from(`${at} tiny`));
    for (const bytes of tiny) packer.add("data", idOf(bytes), bytes);
    assert.ok(shards.length >= 1);
    for (const frames of shards) {
      assert.ok(sealedBytes(frames, tableOf(frames).length) <= SHARD_BYTES);
    }
    const open = packer.frames();
    assert.equal(gather([...shards.flat(), ...open]).size, tiny.length);
  });

  it("keeps kinds apart, and takes over the frames of another packer", () => {
    const other = new ShardPacker(() => assert.fail("too little for a shard"), codec);
    const trees = content(100 * KIB, 1, false);
    other.add("tree", idOf(trees), trees);
    const packer = new ShardPacker(() => {}, codec);
    const data = content(50 * KIB, 2, true);
    packer.add("data", idOf(data), data);
    for (const frame of other.frames()) packer.addFrame(frame, () => assert.fail("it fits"));
    assert.ok(packer.addAlone("snapshot", idOf(Buffer.from("s")), Buffer.from("s")));
    assert.deepEqual(
      packer.frames().map(({ kind }) => kind),
      ["data", "tree", "snapshot"],
    );
  });

  it("splits a frame of another packer that does not fit any more", () => {
    const full: (readonly CheckedFrame[])[] = [];
    const packer = new ShardPacker((frames) => full.push(copyOf(frames)), codec);
    const filling = content(3500 * KIB, 3, true);
    packer.add("data", idOf(filling), filling);
    const other = new ShardPacker(() => {}, codec);
    const more = content(1500 * KIB, 4, true);
    other.add("data", idOf(more), more);
    for (const frame of other.frames()) {
      packer.addFrame(frame, ({ codec, content: packed, plainLength }) => {
        const plaintext = unpackFrame(codec, packed, plainLength);
        assert.ok(plaintext);
        return plaintext;
      });
    }
    assert.equal(full.length, 1);
    const found = gather([...full.flat(), ...packer.frames()]);
    assert.ok(
      Buffer.compare(
        found.get(Buffer.from(idOf(more)).toString("hex")) ?? more.subarray(1),
        more,
      ) === 0,
    );
  });
});
