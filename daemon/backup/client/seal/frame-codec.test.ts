import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { chunkIdOf } from "../../../../protocol/backup/chunk.ts";
import { packFrame, unpackFrame } from "../../../../protocol/backup/frame.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import { ChunkNamer } from "./chunk-namer.ts";
import { FrameCodec } from "./frame-codec.ts";
import { ownFunctions } from "../own-functions.ts";

const samples = [
  Buffer.alloc(0),
  Buffer.from("x"),
  Buffer.alloc(100_000, "a row of a table\n"),
  randomBytes(70_000),
  // A part of something longer, at an odd place.
  Buffer.alloc(50_000, "abc").subarray(7, 40_000),
];

describe("a codec that is used again", () => {
  const codec = new FrameCodec(4096);

  it("packs what protocol/backup/frame.ts packs, also frames longer than it was made for", () => {
    for (const plaintext of samples) {
      const { codec: name, content } = codec.pack(plaintext);
      const expected = packFrame(plaintext);
      assert.equal(name, expected.codec);
      assert.deepEqual(Buffer.from(content), Buffer.from(expected.content));
    }
  });

  it("unpacks to the declared length or not at all", () => {
    for (const plaintext of samples.slice(1)) {
      const packed = packFrame(plaintext);
      const unpack = (length: number) => codec.unpack(packed.codec, packed.content, length);
      assert.deepEqual(Buffer.from(unpack(plaintext.length) ?? []), plaintext);
      assert.equal(unpack(plaintext.length - 1), undefined);
      assert.equal(unpack(plaintext.length + 1), undefined);
    }
    assert.equal(codec.unpack("zstd", randomBytes(100), 50), undefined);
  });

  it("gives what unpackFrame gives for 2,000 mutations of a frame", () => {
    const { content } = packFrame(Buffer.alloc(3000, "a row of a table\n"));
    for (let at = 0; at < 2000; at++) {
      const mutated = Uint8Array.from(content);
      const place = at % mutated.length;
      mutated[place] = (mutated[place] ?? 0) ^ (1 + ((at * 7) % 255));
      const expected = unpackFrame("zstd", mutated, 3000);
      const found = codec.unpack("zstd", mutated, 3000);
      assert.equal(found === undefined, expected === undefined, `mutation ${at}`);
      if (found !== undefined) assert.deepEqual(Buffer.from(found), expected);
    }
  });
});

describe("names of chunks", () => {
  it("are those of protocol/backup/chunk.ts", () => {
    const setKey = randomBytes(32);
    const namer = new ChunkNamer(setKey, "tree");
    for (const chunk of samples) {
      const expected = chunkIdOf(chunkIdKey(setKey, "tree"), chunk);
      assert.deepEqual(Buffer.from(namer.name(chunk)), Buffer.from(expected));
    }
  });
});

describe("functions that Node exports", () => {
  it("are there in the Node that Pleach brings, and are told to be absent where they are", () => {
    assert.ok(ownFunctions({ version: "uint32_t ZSTD_versionNumber()" }));
    assert.equal(ownFunctions({ none: "void pleach_is_no_such_function()" }), undefined);
  });
});
