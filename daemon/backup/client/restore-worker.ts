/**
 * A worker thread of a restore: opens a shard, checks each chunk, writes files.
 *
 * Nothing is written before it is verified: the shard by its name, each frame by its tag, each
 * whole chunk by its id; a part of a chunk by the table of its own shard.
 */
import { parentPort, workerData } from "node:worker_threads";
import { chunkIdOf } from "../../../protocol/chunk.ts";
import { PleachError } from "../../../protocol/error.ts";
import { release } from "../../../protocol/frame.ts";
import { chunkIdKey } from "../../../protocol/set-keys.ts";
import { verifyShard } from "../../../protocol/shard.ts";
import { OpenedShard } from "../../../protocol/sealed-shard.ts";
import type { TableFrame } from "../../../protocol/shard-table.ts";
import type { EndMessage } from "./end-worker.ts";
import { pathIn, writePart, writeWhole } from "./file-writer.ts";
import type { FromRestoreWorker, RestoreSetup, ShardJob, WriteItem } from "./restore-message.ts";
import { contradiction } from "./shard-reader.ts";

const { owner, set, setKey } = workerData as RestoreSetup;
const port = parentPort;
if (port === null) throw new Error("This file is a worker thread.");
const dataKey = chunkIdKey(setKey, "data");

port.on("message", (job: ShardJob | EndMessage) => {
  if ("type" in job) {
    port.close();
    return;
  }
  let answer: FromRestoreWorker;
  try {
    answer = { type: "done", job: job.job, problems: writeItems(job) };
  } catch (error) {
    answer = { type: "failed", ...describe(error) };
  }
  release(job.bytes);
  port.postMessage(answer);
});

function writeItems({ shard, bytes, epochKey, items }: ShardJob) {
  verifyShard(owner, set, shard, bytes);
  const opened = new OpenedShard(bytes, epochKey);
  const problems: { item: number; problem: string }[] = [];
  const byFrame = Map.groupBy(items.entries(), ([, { frame }]) => frame);
  for (const [number, frameItems] of byFrame) {
    const frame = opened.frames[number];
    if (frame === undefined || frame.kind !== "data") throw contradiction("A frame is missing.");
    const plaintext = opened.frame(number);
    for (const [item, each] of frameItems) {
      for (const problem of writeItem(frame, plaintext, each)) problems.push({ item, problem });
    }
    release(plaintext);
  }
  return problems;
}

function writeItem(frame: TableFrame, plaintext: Uint8Array, item: WriteItem): readonly string[] {
  const { frameOffset, length, chunkId, chunkLength, ranges, whole } = item;
  if (frameOffset + length > plaintext.length) throw contradiction("A piece is out of its frame.");
  const content = plaintext.subarray(frameOffset, frameOffset + length);
  const sound =
    length === chunkLength
      ? Buffer.compare(chunkIdOf(dataKey, content), chunkId) === 0
      : isPieceOf(frame, frameOffset, length, chunkId);
  if (!sound) throw contradiction("A chunk is not what the snapshot names.");
  const path = pathIn(item.folderFd, item.name);
  if (whole !== undefined) return writeWhole(path, content, ranges, whole.holesUpTo, whole.meta);
  writePart(path, content, ranges);
  return [];
}

/** Whether the table of the shard itself names that piece. */
function isPieceOf(
  { pieces }: TableFrame,
  frameOffset: number,
  length: number,
  chunkId: Uint8Array,
): boolean {
  let at = 0;
  for (const piece of pieces) {
    if (at === frameOffset) {
      return piece.length === length && Buffer.compare(piece.chunkId, chunkId) === 0;
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
