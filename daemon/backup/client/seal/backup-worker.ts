/**
 * A worker thread of a backup: reads, cuts, names, packs, compresses, seals.
 *
 * It does everything with blocking calls, one job after another; the main thread gives it the
 * next jobs before it has done the last. Chunks go in random order to two open shards, so that
 * the order and the sizes of small files cannot be read from where they lie.
 */
import { randomFillSync } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { gearTable } from "../../../../protocol/backup/chunk-cut.ts";
import { PleachError } from "../../../../protocol/error.ts";
import { release } from "../../../../protocol/backup/frame.ts";
import { cutKey } from "../../../../protocol/backup/set-keys.ts";
import { ChunkNamer } from "./chunk-namer.ts";
import { FileReader } from "../read/file-reader.ts";
import { finishRun } from "../run/finish-run.ts";
import { FrameCodec } from "./frame-codec.ts";
import { SeenChunks } from "./seen-chunks.ts";
import { FRAME_BYTES, ShardPacker, type CheckedFrame } from "./shard-packer.ts";
import { ShardSealer, type SealedShard } from "./shard-sealer.ts";
import type { Portion } from "../read/stream-cutter.ts";
import {
  joined,
  type BatchResult,
  type FileBatch,
  type FromWorker,
  type ToWorker,
  type WorkerSetup,
} from "./worker-message.ts";

const setup = workerData as WorkerSetup;
const { setKey } = setup.subject;
const port = parentPort;
if (port === null) throw new Error("This file is a worker thread.");
const say = (message: FromWorker, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);

const namer = new ChunkNamer(setKey, "data");
const seen = new SeenChunks(setup.seen);
const reader = new FileReader(setup.cut === "fixed" ? undefined : gearTable(cutKey(setKey)));
const codec = new FrameCodec(FRAME_BYTES);
const sealer = new ShardSealer(setup.subject, setup.slots, codec);
const sealFull = (frames: readonly CheckedFrame[]): void => {
  say({ type: "shard", sealed: sealer.seal(frames, "full") });
};
const dataPackers = [new ShardPacker(sealFull, codec), new ShardPacker(sealFull, codec)] as const;
/** Trees and indexes apart from the files: a restore reads them first and many at a time. */
let treePacker: ShardPacker | undefined;

port.on("message", (message: ToWorker) => {
  try {
    handle(message);
  } catch (error) {
    const code = error instanceof PleachError ? error.code : undefined;
    say({ type: "failed", code, message: error instanceof Error ? error.message : String(error) });
  }
});

function handle(message: ToWorker): void {
  switch (message.type) {
    case "files":
      say({ type: "result", batch: message.batch, result: readBatch(message.files) });
      break;
    case "portion":
      say({ type: "result", batch: message.batch, result: keepPortion(message.portion) });
      break;
    case "chunks":
      treePacker ??= new ShardPacker(sealFull, codec);
      for (const { kind, id, bytes } of message.chunks) treePacker.add(kind, id, bytes);
      break;
    case "grow":
      seen.grow(message.level);
      break;
    case "end":
      port?.close();
      break;
    case "drain": {
      const frames = drain();
      say({ type: "drained", frames }, buffersOf(frames));
      break;
    }
    case "finish": {
      const onShard = (sealed: SealedShard): void => say({ type: "shard", sealed });
      const { root, record } = finishRun(message, { sealer, codec, setKey, onShard });
      say({ type: "finished", root, record });
      break;
    }
  }
}

function buffersOf(frames: readonly CheckedFrame[]): readonly ArrayBuffer[] {
  return frames.flatMap(({ content: { buffer } }) =>
    buffer instanceof ArrayBuffer ? [buffer] : [],
  );
}

/**
 * All open frames, so that one worker can make the last shards of the run. Nothing is read any
 * more: what this worker needed for it goes before the last shards need memory.
 */
function drain(): readonly CheckedFrame[] {
  reader.end();
  const packers = treePacker === undefined ? dataPackers : [...dataPackers, treePacker];
  return packers.flatMap((packer) => {
    // Sent to another thread: of each frame its own bytes, not all memory of the packer.
    const frames = packer.frames().map((frame) => ({ ...frame, content: frame.content.slice() }));
    packer.end();
    return frames;
  });
}

function readBatch({ names, facts }: FileBatch): BatchResult {
  const count = facts.length / 4;
  const outcome = new Float64Array(count * 3);
  const ids: Uint8Array[] = [];
  const extents: {
    file: number;
    extents: NonNullable<ReturnType<FileReader["read"]>["extents"]>;
  }[] = [];
  const failures: { file: number; reason: string }[] = [];
  let at = 0;
  for (let file = 0; file < count; file++) {
    const [folder = 0, nameLength = 0, sizeBytes = 0, inode = 0] = facts.subarray(file * 4);
    const name = names.subarray(at, (at += nameLength));
    const path = Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), name]);
    const before = ids.length;
    try {
      const read = reader.read({ path, sizeBytes, inode }, (chunk) => ids.push(keep(chunk)));
      if (read.extents !== undefined) extents.push({ file, extents: read.extents });
      outcome.set([ids.length - before, read.sizeBytes, read.changed ? 1 : 0], file * 3);
    } catch (error) {
      // A fault of the packing is not a fault of the file.
      if (error instanceof PleachError || error instanceof RangeError) throw error;
      ids.length = before;
      failures.push({ file, reason: reasonOf(error) });
      outcome[file * 3] = -1;
    }
  }
  return {
    ids: joined(ids),
    facts: outcome,
    extents,
    failures,
  };
}

function keepPortion({ bytes, lengths }: Portion): BatchResult {
  const ids: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) ids.push(keep(bytes.subarray(at, (at += length))));
  release(bytes);
  return { ids: joined(ids), facts: new Float64Array(0), extents: [], failures: [] };
}

/** Stores a chunk unless it is known. @returns Its id. */
function keep(chunk: Uint8Array): Uint8Array {
  const id = namer.name(chunk);
  if (seen.add(id)) (randomBit() ? dataPackers[0] : dataPackers[1]).add("data", id, chunk);
  return id;
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return String(error);
}

const chance = new Uint8Array(4096);
let chanceUsed = chance.length;

function randomBit(): boolean {
  if (chanceUsed === chance.length) {
    randomFillSync(chance);
    chanceUsed = 0;
  }
  return ((chance[chanceUsed++] ?? 0) & 1) === 1;
}
