/**
 * What a holder, or a bad disk, can make of sealed shards: each mutant has to be refused twice, by
 * its name, as every holder and reader checks it, and by its seals, whatever name it is given.
 */
import { createHash } from "node:crypto";
import { FrameCodec } from "../../daemon/backup/client/seal/frame-codec.ts";
import { PleachError } from "../../protocol/error.ts";
import { packFrame } from "../../protocol/backup/frame.ts";
import type { OwnerId, SetId } from "../../protocol/ids.ts";
import {
  OpenedShard,
  type ShardSecrets,
  sealShard,
  sealedBytes,
  tableOf,
  type PackedFrame,
} from "../../protocol/backup/sealed-shard.ts";
import { verifyShard } from "../../protocol/backup/shard.ts";
import { LEAF_BYTES, paddedShardBytes, shardIdOf } from "../../protocol/backup/shard-id.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";

const OWNER = "11".repeat(32) as OwnerId;
const SET = "22".repeat(16) as SetId;

export interface MutationFigures {
  readonly cases: number;
  /** Mutants that came out as they were: nothing to find. */
  readonly same: number;
  /** What a reader would have taken for the real thing; none is right. */
  readonly missed: readonly string[];
}

/** The same cases for the same random numbers. */
export function mutateShards(random: SeededRandom, cases: number): MutationFigures {
  const keys = { setKey: random.bytes(32), epochKey: random.bytes(32) };
  // Of one set and one epoch, so that parts of one might pass in the other.
  const shards = [1, 2, 3, 4].map((size) => sealedShard(random, keys, size * 6000));
  const names = shards.map((bytes) => shardIdOf(OWNER, SET, bytes));
  const codec = new FrameCodec(LEAF_BYTES);
  const missed: string[] = [];
  let same = 0;
  for (let at = 0; at < cases; at++) {
    const which = random.below(shards.length);
    const original = shards[which] ?? new Uint8Array(0);
    const { how, bytes } = mutant(random, original, shards);
    if (Buffer.compare(bytes, original) === 0) {
      same += 1;
      continue;
    }
    const name = names[which];
    if (name !== undefined && !refused(() => verifyShard(OWNER, SET, name, bytes))) {
      missed.push(`case ${at}: ${how} passes by its name`);
    }
    // Another shard of the set is sound as such: only the name tells it from the one asked for.
    if (shards.some((each) => Buffer.compare(each, bytes) === 0)) continue;
    const opens = !refused(() => {
      const opened = new OpenedShard(bytes, keys);
      opened.frames.forEach((_, frame) => opened.frame(frame, codec.unpack.bind(codec)));
    });
    if (opens) missed.push(`case ${at}: ${how} passes by its seals`);
  }
  return { cases, same, missed };
}

/** Anything but a refusal with a code is a fault, and thrown. */
function refused(act: () => void): boolean {
  try {
    act();
    return false;
  } catch (error) {
    if (error instanceof PleachError) return true;
    throw error;
  }
}

function mutant(
  random: SeededRandom,
  original: Uint8Array,
  shards: readonly Uint8Array[],
): { readonly how: string; readonly bytes: Uint8Array } {
  const bytes = Uint8Array.from(original);
  const spot = random.chance(0.3) ? random.below(700) : random.below(bytes.length);
  const length = 1 + random.below(Math.min(LEAF_BYTES, bytes.length - spot));
  const other = random.pick(shards);
  switch (random.below(8)) {
    case 0:
      bytes[spot] = (bytes[spot] ?? 0) ^ (1 << random.below(8));
      return { how: `a bit at ${spot}`, bytes };
    case 1:
      bytes.set(random.bytes(length), spot);
      return { how: `noise at ${spot}`, bytes };
    case 2:
      bytes.fill(0, spot, spot + length);
      return { how: `zeros at ${spot}`, bytes };
    case 3:
      bytes.copyWithin(spot, random.below(bytes.length - length), undefined);
      return { how: `a range moved to ${spot}`, bytes };
    case 4: {
      const kept = LEAF_BYTES * (1 + random.below(bytes.length / LEAF_BYTES));
      return { how: `cut to ${kept}`, bytes: bytes.subarray(0, kept) };
    }
    case 5: {
      const longer = new Uint8Array(bytes.length + LEAF_BYTES);
      longer.set(bytes);
      return { how: "one leaf longer", bytes: longer };
    }
    case 6: {
      const end = Math.min(bytes.length, other.length);
      const from = random.below(end);
      bytes.set(other.subarray(from, end), from);
      return { how: `the rest of another shard from ${from}`, bytes };
    }
    default:
      return { how: "another shard", bytes: Uint8Array.from(other) };
  }
}

function sealedShard(
  random: SeededRandom,
  keys: Pick<ShardSecrets, "setKey" | "epochKey">,
  size: number,
): Uint8Array {
  const chunks = [random.bytes(size), Buffer.alloc(size, "the same words again ")];
  const frames = chunks.map((chunk): PackedFrame => {
    const chunkId = createHash("sha256").update(chunk).digest();
    const { length } = chunk;
    const pieces = [{ chunkId, length, chunkOffset: 0, chunkLength: length }];
    return { ...packFrame(chunk), kind: "data", plainLength: length, pieces };
  });
  const bytes = new Uint8Array(paddedShardBytes(sealedBytes(frames, tableOf(frames).length)));
  const header = { owner: OWNER, set: SET, keyEpoch: 1, nonce: random.bytes(32) };
  const secrets = { ...keys, random: (length: number) => random.bytes(length) };
  sealShard(bytes, { ...secrets, header: { ...header, capsule: random.bytes(192) } }, frames);
  return bytes;
}
