import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { encodeIndex, type ShardTable } from "../../../protocol/chunk-index.ts";
import {
  idOf,
  type ChainId,
  type OwnerId,
  type SetId,
  type ShardId,
} from "../../../protocol/ids.ts";
import { tableOf } from "../../../protocol/sealed-shard.ts";
import { SHARD_BYTES } from "../../../protocol/shard-id.ts";
import { finishRun } from "./finish-run.ts";
import { ShardPacker, type CheckedFrame } from "./shard-packer.ts";
import { freeSlot, newSlots, ShardSealer } from "./shard-sealer.ts";

const owner = "11".repeat(32) as OwnerId;
const set = "22".repeat(16) as SetId;
const slots = newSlots(2);
const subject = { owner, set, keyEpoch: 1, capsule: new Uint8Array(192) };
const sealer = new ShardSealer({ ...subject, epochKey: randomBytes(32) }, slots);

function finish(tables: readonly ShardTable[]) {
  const record = {
    ...{ set, name: "test", chain: "33".repeat(16) as ChainId, number: 1, previous: null, atMs: 1 },
    ...{ paths: [Buffer.from("/")], tree: new Uint8Array(32), index: [], files: 1, bytes: 1 },
    ...{ roomBytes: 1, unreadable: 0, changed: 0, history: [] },
  };
  return finishRun({ frames: [], tables, record }, sealer, randomBytes(32), ({ slot }) =>
    freeSlot(slots, slot),
  );
}

/** The table of a shard that is full of files of a few bytes each. */
function tableOfTinyFiles(): Uint8Array {
  let full: readonly CheckedFrame[] | undefined;
  const packer = new ShardPacker((frames) => (full ??= frames));
  for (let at = 0; full === undefined; at++) {
    const bytes = Buffer.from(`${at}\n`);
    packer.add("data", createHash("sha256").update(bytes).digest(), bytes);
  }
  return tableOf(full);
}

describe("the end of a run", () => {
  it("finds room for the table of a shard of tiny files behind many small tables", () => {
    const named = (table: Uint8Array): ShardTable => {
      return { shard: idOf<ShardId>(randomBytes(32)), sizeBytes: SHARD_BYTES, table };
    };
    const tiny = tableOfTinyFiles();
    const tables = [...Array.from({ length: 50 }, () => named(randomBytes(8192))), named(tiny)];
    assert.ok(encodeIndex(tables).length > SHARD_BYTES);
    const { record } = finish(tables);
    // The small ones, the large one, and that of the last shard.
    assert.equal(record.index.length, 3);
  });
});
