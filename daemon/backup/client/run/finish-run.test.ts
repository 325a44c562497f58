import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import {
  decodeIndex,
  encodeIndex,
  type ShardTable,
} from "../../../../protocol/backup/chunk-index.ts";
import {
  idOf,
  type ChainId,
  type OwnerId,
  type SetId,
  type ShardId,
} from "../../../../protocol/ids.ts";
import { OpenedShard, tableOf } from "../../../../protocol/backup/sealed-shard.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { finishRun } from "./finish-run.ts";
import { FrameCodec } from "../seal/frame-codec.ts";
import { FRAME_BYTES, ShardPacker, type CheckedFrame } from "../seal/shard-packer.ts";
import {
  freeSlot,
  newSlots,
  ShardSealer,
  slotBytes,
  type SealedShard,
} from "../seal/shard-sealer.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const owner = "11".repeat(32) as OwnerId;
const set = "22".repeat(16) as SetId;
const slots = newSlots(2);
const subject = { owner, set, keyEpoch: 1, capsule: new Uint8Array(192) };
const setKey = randomBytes(32);
const epochKey = randomBytes(32);
const codec = new FrameCodec(FRAME_BYTES);
const sealer = new ShardSealer({ ...subject, setKey, epochKey }, slots, codec);

function finish(
  tables: readonly ShardTable[],
  frames: readonly CheckedFrame[] = [],
  onShard: (sealed: SealedShard) => void = () => {},
) {
  const record = {
    ...{ set, name: "test", chain: "33".repeat(16) as ChainId, number: 1, previous: null, atMs: 1 },
    ...{ paths: [Buffer.from("/")], tree: new Uint8Array(32), index: [], files: 1, bytes: 1 },
    ...{ roomBytes: 1, unreadable: 0, changed: 0, doubts: [], history: [] },
  };
  return finishRun(
    { frames, tables, record },
    {
      ...{ sealer, codec, setKey },
      onShard: (sealed) => {
        onShard(sealed);
        freeSlot(slots, sealed.slot);
      },
    },
  );
}

/** The table of a shard that is full of files of a few bytes each. */
function tableOfTinyFiles(): Uint8Array {
  let full: readonly CheckedFrame[] | undefined;
  const packer = new ShardPacker((frames) => (full ??= frames), codec);
  for (let at = 0; full === undefined; at++) {
    const bytes = Buffer.from(`${at}\n`);
    packer.add("data", createHash("sha256").update(bytes).digest(), bytes);
  }
  return tableOf(full);
}

describe("the end of a run", () => {
  it("finds room for the table of a shard of tiny files behind many small tables", () => {
    const named = (table: Uint8Array): ShardTable => {
      return { shard: idOf<ShardId>(randomBytes(32)), sizeBytes: SHARD_BYTES, keyEpoch: 1, table };
    };
    const tiny = tableOfTinyFiles();
    const tables = [...Array.from({ length: 50 }, () => named(randomBytes(8192))), named(tiny)];
    assert.ok(encodeIndex(tables).length > SHARD_BYTES);
    const { record } = finish(tables);
    // The small ones, the large one, and that of the last shard.
    assert.equal(record.index.length, 3);
  });

  it("indexes each shard, also one that the last open frame fills", () => {
    const frameOf = (bytes: Uint8Array): readonly CheckedFrame[] => {
      const packer = new ShardPacker(() => assert.fail("too little for a shard"), codec);
      packer.add("data", createHash("sha256").update(bytes).digest(), bytes);
      return packer.frames();
    };
    const before = [...frameOf(randomBytes(2 * MIB)), ...frameOf(randomBytes(MIB))];
    // Too long for the room that is left: it stays open, and closing it fills the shard.
    for (let size = MIB; size < MIB + 64 * KIB; size += 16 * KIB) {
      const bytesOf = new Map<ShardId, Uint8Array>();
      const { record } = finish([], [...before, ...frameOf(randomBytes(size))], (sealed) => {
        const { shard, slot, sizeBytes } = sealed;
        bytesOf.set(shard, Uint8Array.from(slotBytes(slots, slot, sizeBytes)));
      });
      const indexed = record.index.flatMap(({ shard, frame }) => {
        const own = shard ?? [...bytesOf.keys()].at(-1);
        assert.ok(own);
        const opened = new OpenedShard(bytesOf.get(own) ?? assert.fail(), { setKey, epochKey });
        return decodeIndex(opened.frame(frame)).map((table) => table.shard ?? own);
      });
      assert.deepEqual(new Set(indexed), new Set(bytesOf.keys()), `${size} bytes`);
    }
  });
});
