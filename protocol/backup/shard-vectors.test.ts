import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { z } from "zod";
import { openCapsule, sealCapsule } from "./capsule.ts";
import { chunkIdOf } from "./chunk.ts";
import { cutLength, gearTable } from "./chunk-cut.ts";
import { fromHex, toHex, type OwnerId, type SetId } from "../ids.ts";
import { OpenedShard, sealShard, type PackedFrame } from "./sealed-shard.ts";
import { chunkIdKey, cutKey, openSetName, sealSetName } from "./set-keys.ts";
import { parseShardHeader } from "./shard.ts";
import { merkleRoot, shardIdOf } from "./shard-id.ts";
import { decodeTree } from "./tree-decode.ts";
import { encodeTrees } from "./tree-encode.ts";
import type { TreeEntry } from "./tree.ts";

const hex = z.string().regex(/^[0-9a-f]*$/);
const shape = z.object({
  about: z.string(),
  owner: hex,
  set: hex,
  boxSecretKey: hex,
  boxPublicKey: hex,
  setKey: hex,
  epochKey: hex,
  /** Byte i of all random bytes is i modulo 256, from 0 for each of these. */
  capsule: hex,
  sealedName: z.object({ name: z.string(), bytes: hex }),
  chunk: z.object({ plaintext: z.string(), dataId: hex, treeId: hex }),
  tree: hex,
  cut: z.object({ zeros: z.int(), generated: z.int() }),
  shard: z.object({ bytes: hex, root: hex, id: hex }),
});
const path = join(import.meta.dirname, "../vectors/shard.json");
const vectors = shape.parse(JSON.parse(readFileSync(path, "utf8")));

const owner = vectors.owner as OwnerId;
const set = vectors.set as SetId;
const setKey = fromHex(vectors.setKey);
const epochKey = fromHex(vectors.epochKey);
const counting = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at);
const keyEpoch = 1;
const plaintext = Buffer.from(vectors.chunk.plaintext);

const entry: TreeEntry = {
  kind: "file",
  name: Uint8Array.of(0x6e, 0xff),
  mode: 0o640,
  uid: 1000,
  gid: 70_000,
  mtime: { seconds: -1, nanos: 999_999_999 },
  xattrs: [[Buffer.from("user.note"), Buffer.from("words")]],
  sizeBytes: 5_000_000_000,
  chunks: new Uint8Array(32).fill(0xaa),
  extents: [{ offset: 4_999_999_000, length: 500 }],
  link: 3,
  ctime: { seconds: 1_700_000_000, nanos: 0 },
  inode: 42,
  changed: true,
};

/** The high bytes of x = 1664525 x + 1013904223 modulo 2^32, from x = 1 on. */
function generated(size: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

describe("vectors of the sealed formats", () => {
  it("capsule and name", () => {
    const subject = { owner, set, keyEpoch };
    const keys = { setKey, epochKey };
    const capsule = sealCapsule(fromHex(vectors.boxPublicKey), subject, keys, counting(56));
    assert.equal(toHex(capsule), vectors.capsule);
    const header = { ...subject, capsule: fromHex(vectors.capsule) };
    assert.deepEqual(openCapsule(fromHex(vectors.boxSecretKey), header), keys);
    const { name, bytes } = vectors.sealedName;
    assert.equal(toHex(sealSetName(setKey, name, counting(24))), bytes);
    assert.equal(openSetName(setKey, fromHex(bytes)), name);
  });

  it("chunk ids, a tree, and where files are cut", () => {
    assert.equal(toHex(chunkIdOf(chunkIdKey(setKey, "data"), plaintext)), vectors.chunk.dataId);
    assert.equal(toHex(chunkIdOf(chunkIdKey(setKey, "tree"), plaintext)), vectors.chunk.treeId);
    assert.deepEqual(encodeTrees([entry]).map(toHex), [vectors.tree]);
    assert.equal(decodeTree(fromHex(vectors.tree)).length, 1);
    const gear = gearTable(cutKey(setKey));
    const size = 5 * 1024 * 1024;
    assert.equal(cutLength(gear, new Uint8Array(size), 0, size), vectors.cut.zeros);
    assert.equal(cutLength(gear, generated(size), 0, size), vectors.cut.generated);
  });

  it("a shard", () => {
    const chunkId = fromHex(vectors.chunk.dataId);
    const length = plaintext.length;
    const frame: PackedFrame = {
      kind: "data",
      codec: "stored",
      content: plaintext,
      plainLength: length,
      pieces: [{ chunkId, length, chunkOffset: 0, chunkLength: length }],
    };
    const bytes = new Uint8Array(4096);
    const header = { owner, set, keyEpoch, nonce: counting(32), capsule: fromHex(vectors.capsule) };
    sealShard(bytes, { header, setKey, epochKey, random: counting }, [frame]);
    assert.equal(toHex(bytes), vectors.shard.bytes);
    assert.equal(toHex(merkleRoot(bytes)), vectors.shard.root);
    assert.equal(shardIdOf(owner, set, bytes), vectors.shard.id);
    const given = fromHex(vectors.shard.bytes);
    assert.deepEqual(parseShardHeader(given), header);
    assert.deepEqual(Buffer.from(new OpenedShard(given, { setKey, epochKey }).frame(0)), plaintext);
  });
});
