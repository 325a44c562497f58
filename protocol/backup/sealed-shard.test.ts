import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { PleachError } from "../error.ts";
import { packFrame } from "./frame.ts";
import type { OwnerId, SetId } from "../ids.ts";
import { OpenedShard, sealShard, sealedBytes, tableOf, type PackedFrame } from "./sealed-shard.ts";
import { HEADER_BYTES, encodeShardHeader, parseShardHeader, verifyShard } from "./shard.ts";
import { paddedShardBytes, shardIdOf } from "./shard-id.ts";
import { decodeTable } from "./shard-table.ts";

const owner = "11".repeat(32) as OwnerId;
const set = "22".repeat(16) as SetId;
const setKey = new Uint8Array(32).fill(4);
const epochKey = new Uint8Array(32).fill(5);
const keys = { setKey, epochKey };
const header = {
  owner,
  set,
  keyEpoch: 1,
  nonce: new Uint8Array(32).fill(6),
  capsule: new Uint8Array(192).fill(7),
};
const random = (size: number): Uint8Array => Uint8Array.from(randomBytes(size));

function frameOf(kind: PackedFrame["kind"], chunks: readonly Uint8Array[]): PackedFrame {
  const plaintext = Buffer.concat(chunks);
  const pieces = chunks.map((chunk) => ({
    chunkId: createHash("sha256").update(chunk).digest(),
    length: chunk.length,
    chunkOffset: 0,
    chunkLength: chunk.length,
  }));
  return { ...packFrame(plaintext), kind, plainLength: plaintext.length, pieces };
}

function sealed(frames: readonly PackedFrame[]): Uint8Array {
  const bytes = new Uint8Array(paddedShardBytes(sealedBytes(frames, tableOf(frames).length)));
  sealShard(bytes, { header, ...keys, random }, frames);
  return bytes;
}

const text = Buffer.from("the same words again and again, ".repeat(500));
const noise = Uint8Array.from(randomBytes(9000));
const frames = [frameOf("data", [text, noise]), frameOf("tree", [Buffer.from("tree")])];
const shard = sealed(frames);
const name = shardIdOf(owner, set, shard);

describe("a sealed shard", () => {
  it("opens to what went in", () => {
    verifyShard(owner, set, name, shard);
    const opened = new OpenedShard(shard, keys);
    assert.deepEqual(opened.header, header);
    assert.deepEqual(
      opened.frames.map(({ kind }) => kind),
      ["data", "tree"],
    );
    assert.deepEqual(Buffer.from(opened.frame(0)), Buffer.concat([text, noise]));
    assert.deepEqual(Buffer.from(opened.frame(1)), Buffer.from("tree"));
    const [first] = opened.frames;
    assert.deepEqual(
      first?.pieces.map(({ length }) => length),
      [text.length, noise.length],
    );
  });

  it("shows no plaintext, and no chunk id", () => {
    const bytes = Buffer.from(shard);
    assert.equal(bytes.indexOf("the same words"), -1);
    assert.equal(bytes.indexOf(noise.subarray(0, 16)), -1);
    assert.equal(bytes.indexOf(frames[0]?.pieces[0]?.chunkId ?? text), -1);
  });

  it("has each of its bytes under a name and under a seal", () => {
    const spots = fc.record({
      at: fc.oneof(fc.nat(400), fc.nat(shard.length - 1)),
      flip: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(spots, ({ at, flip }) => {
        const changed = Uint8Array.from(shard);
        changed[at] = (changed[at] ?? 0) ^ flip;
        assert.throws(() => verifyShard(owner, set, name, changed), PleachError);
        assert.throws(() => {
          const opened = new OpenedShard(changed, keys);
          opened.frames.forEach((_, number) => opened.frame(number));
        }, PleachError);
      }),
      { numRuns: 400 },
    );
  });

  it("opens with no other key", () => {
    const other = new Uint8Array(32);
    const opened = new OpenedShard(shard, { setKey, epochKey: other });
    assert.throws(() => opened.frame(0), { code: "E-SHARD-SEAL" });
    assert.throws(() => new OpenedShard(shard, { setKey: other, epochKey }), {
      code: "E-SHARD-SEAL",
    });
  });

  it("tells its table, index and record without the key of its epoch, and nothing else", () => {
    const record = frameOf("snapshot", [Buffer.from("record")]);
    const index = frameOf("index", [Buffer.from("index")]);
    const opened = new OpenedShard(sealed([...frames, index, record]), {
      setKey,
      epochKey: undefined,
    });
    assert.deepEqual(
      opened.frames.map(({ kind }) => kind),
      ["data", "tree", "index", "snapshot"],
    );
    assert.throws(() => opened.frame(0), { code: "E-SHARD-KEY" });
    assert.throws(() => opened.frame(1), { code: "E-SHARD-KEY" });
    assert.deepEqual(Buffer.from(opened.frame(2)), Buffer.from("index"));
    assert.deepEqual(Buffer.from(opened.frame(3)), Buffer.from("record"));
  });

  it("opens for no other data set, not even with the right key", () => {
    const moved = Uint8Array.from(shard);
    moved.set(encodeShardHeader({ ...header, set: "23".repeat(16) as SetId }));
    assert.throws(() => new OpenedShard(moved, keys), { code: "E-SHARD-SEAL" });
  });

  it("refuses foreign and newer headers with different words", () => {
    assert.throws(() => parseShardHeader(new Uint8Array(HEADER_BYTES)), { code: "E-SHARD-FORM" });
    const newer = Uint8Array.from(shard);
    newer[8] = 2;
    assert.throws(() => parseShardHeader(newer), { code: "E-SHARD-VERSION" });
  });
});

describe("the table of contents", () => {
  it("comes back as it was, cut pieces included", () => {
    const piece = fc
      .record({ length: fc.integer({ min: 1, max: 5000 }), cut: fc.boolean(), id: fc.nat(255) })
      .map(({ length, cut, id }) => ({
        chunkId: new Uint8Array(32).fill(id),
        length,
        chunkOffset: cut ? 10 : 0,
        chunkLength: cut ? length + 20 : length,
      }));
    fc.assert(
      fc.property(
        fc.array(fc.array(piece, { minLength: 1, maxLength: 9 }), { maxLength: 5 }),
        (all) => {
          const given = all.map((pieces): PackedFrame => {
            const plainLength = pieces.reduce((sum, { length }) => sum + length, 0);
            const content = new Uint8Array(plainLength);
            return { kind: "data", codec: "stored", content, plainLength, pieces };
          });
          const decoded = decodeTable(tableOf(given));
          assert.deepEqual(
            decoded.map(({ pieces }) =>
              pieces.map((each) => ({ ...each, chunkId: each.chunkId[0] })),
            ),
            all.map((pieces) => pieces.map((each) => ({ ...each, chunkId: each.chunkId[0] }))),
          );
        },
      ),
    );
  });

  it("is refused, and never crashes, when it is garbage", () => {
    const table = tableOf(frames);
    fc.assert(
      fc.property(fc.nat(table.length - 1), fc.nat(255), (at, value) => {
        const changed = Uint8Array.from(table);
        changed[at] = value;
        try {
          decodeTable(changed);
        } catch (error) {
          assert.ok(error instanceof PleachError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
