/**
 * A worker thread of a restore: opens a shard, checks each chunk, writes files.
 *
 * Nothing is written before it is verified: each frame by its tag, each whole chunk by its id, a
 * part of a chunk by the sealed table of the shard that it lies in. Both the tags and the ids are
 * made with the owner's keys, so a holder that gives another shard than the one asked for gains
 * nothing, and the name of the shard, one more hash over all of it, is only looked at to say
 * whose fault a fault is.
 */
import { parentPort, workerData } from "node:worker_threads";
import { PleachError } from "../../../../protocol/error.ts";
import { release } from "../../../../protocol/backup/frame.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { OpenedShard } from "../../../../protocol/backup/sealed-shard.ts";
import { parseShardHeader, verifyShard } from "../../../../protocol/backup/shard.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import type { TableFrame } from "../../../../protocol/backup/shard-table.ts";
import { ChunkNamer } from "../seal/chunk-namer.ts";
import type { EndMessage } from "../seal/end-worker.ts";
import { pathIn, writePart, writeWhole } from "./file-writer.ts";
import { FrameCodec } from "../seal/frame-codec.ts";
import { FrameCipher } from "../frame-cipher.ts";
import { readLocalShard } from "../local-shard.ts";
import type {
  FromRestoreWorker,
  ItemProblem,
  RestoreSetup,
  ShardJob,
  WriteItem,
} from "./restore-message.ts";
import { FRAME_BYTES } from "../seal/shard-packer.ts";
import { contradiction } from "../shard-reader.ts";

const { owner, set, setKey, epochs, folder } = workerData as RestoreSetup;
const port = parentPort;
if (port === null) throw new Error("This file is a worker thread.");
const namer = new ChunkNamer(setKey, "data");
const codec = new FrameCodec(FRAME_BYTES);
const unpack = codec.unpack.bind(codec);
const { decrypt } = new FrameCipher(FRAME_BYTES);
const fileBytes = new Uint8Array(folder === undefined ? 0 : SHARD_BYTES);

port.on("message", (job: ShardJob | EndMessage) => {
  if ("type" in job) {
    port.close();
    return;
  }
  const { given } = job;
  let answer: FromRestoreWorker;
  try {
    answer = given === undefined ? fromFile(job) : fromGiven(job, given);
  } catch (error) {
    answer = { type: "failed", ...describe(error) };
  }
  if (given !== undefined) release(given.bytes);
  port.postMessage(answer);
});

/** What cannot be written from the file is left to a copy that the daemon has looked at. */
function fromFile({ job, shard, items }: ShardJob): FromRestoreWorker {
  const problems: ItemProblem[] = [];
  const left = new Map(items);
  const bytes = folder === undefined ? undefined : readLocalShard(folder, shard, fileBytes);
  try {
    if (bytes !== undefined) {
      const epochKey = epochs.get(parseShardHeader(bytes).keyEpoch);
      if (epochKey !== undefined) {
        writeItems(new OpenedShard(bytes, { setKey, epochKey }), left, problems);
      }
    }
  } catch (error) {
    if (!(error instanceof PleachError)) throw error;
  }
  return { type: "done", job, problems, left: [...left.keys()] };
}

function fromGiven(
  { job, shard, items }: ShardJob,
  { bytes, epochKey }: NonNullable<ShardJob["given"]>,
): FromRestoreWorker {
  const problems: ItemProblem[] = [];
  try {
    writeItems(new OpenedShard(bytes, { setKey, epochKey }), new Map(items), problems);
  } catch (error) {
    if (error instanceof PleachError) blame(shard, bytes);
    throw error;
  }
  return { type: "done", job, problems, left: [] };
}

/** @throws ShardError when the bytes are not that shard; else the fault is in the shard itself. */
function blame(shard: ShardId, bytes: Uint8Array): void {
  verifyShard(owner, set, shard, bytes);
}

/** @param left - Loses what was written. */
function writeItems(opened: OpenedShard, left: Map<number, WriteItem>, problems: ItemProblem[]) {
  const byFrame = Map.groupBy([...left], ([, { frame }]) => frame);
  for (const [number, frameItems] of byFrame) {
    const frame = opened.frames[number];
    if (frame === undefined || frame.kind !== "data") throw contradiction("A frame is missing.");
    // In the memory of the codec, or of the cipher, until the next one.
    const plaintext = opened.frame(number, unpack, decrypt);
    for (const [item, each] of frameItems) {
      for (const problem of writeItem(frame, plaintext, each)) problems.push({ item, problem });
      left.delete(item);
    }
  }
}

function writeItem(frame: TableFrame, plaintext: Uint8Array, item: WriteItem): readonly string[] {
  const { frameOffset, length, chunkId, chunkLength, ranges, whole } = item;
  if (frameOffset + length > plaintext.length) throw contradiction("A piece is out of its frame.");
  const content = plaintext.subarray(frameOffset, frameOffset + length);
  const sound =
    length === chunkLength
      ? Buffer.compare(namer.name(content), chunkId) === 0
      : isPieceOf(frame, item);
  if (!sound) throw contradiction("A chunk is not what the snapshot names.");
  const path = pathIn(item.folderFd, item.name);
  if (whole !== undefined) return writeWhole(path, content, ranges, whole.holesUpTo, whole.meta);
  writePart(path, content, ranges);
  return [];
}

/** Whether the table of the shard itself names that piece. */
function isPieceOf(
  { pieces }: TableFrame,
  { frameOffset, length, chunkId, chunkOffset, chunkLength }: WriteItem,
): boolean {
  let at = 0;
  for (const piece of pieces) {
    if (at === frameOffset) {
      return (
        piece.length === length &&
        piece.chunkOffset === chunkOffset &&
        piece.chunkLength === chunkLength &&
        Buffer.compare(piece.chunkId, chunkId) === 0
      );
    }
    at += piece.length;
  }
  return false;
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof PleachError) return { code: error.code, message };
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return { code, message };
}
