/** A worker thread of a verification: reads one shard after another and looks at all of it. */
import { parentPort, workerData } from "node:worker_threads";
import { release } from "../../../../protocol/backup/frame.ts";
import { SHARD_BYTES } from "../../../../protocol/backup/shard-id.ts";
import type { EndMessage } from "../seal/end-worker.ts";
import { FrameCodec } from "../seal/frame-codec.ts";
import { readLocalShard } from "../local-shard.ts";
import { ShardChecker } from "./shard-check.ts";
import { FRAME_BYTES } from "../seal/shard-packer.ts";
import type { FromVerifyWorker, VerifyJob, VerifyOutcome, VerifySetup } from "./verify-message.ts";

const { folder, ...keys } = workerData as VerifySetup;
const port = parentPort;
if (port === null) throw new Error("This file is a worker thread.");
const checker = new ShardChecker(keys, new FrameCodec(FRAME_BYTES));
const fileBytes = new Uint8Array(SHARD_BYTES);

port.on("message", (job: VerifyJob | EndMessage) => {
  if ("type" in job) {
    port.close();
    return;
  }
  let answer: FromVerifyWorker;
  let transfer: ArrayBuffer[] = [];
  try {
    const outcome = look(job);
    if (outcome.state === "sound") transfer = outcome.cut.map(({ bytes }) => bytes.buffer);
    answer = { type: "checked", outcome };
  } catch (error) {
    answer = { type: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  if (job.given !== undefined) release(job.given);
  port.postMessage(answer, transfer);
});

function look({ shard, table, given }: VerifyJob): VerifyOutcome {
  const bytes = given ?? readLocalShard(folder, shard, fileBytes);
  return bytes === undefined ? { state: "missing" } : checker.check(shard, bytes, table);
}
