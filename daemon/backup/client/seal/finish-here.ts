/** Ends a run in the thread that asks for it: a shard of a few kilobytes, in milliseconds. */
import { finishRun, type FinishedRun, type OpenRun } from "../run/finish-run.ts";
import { FrameCodec } from "./frame-codec.ts";
import { ShardPacker } from "./shard-packer.ts";
import {
  ShardSealer,
  type SealSubject,
  type SealedShard,
  type ShardSlots,
} from "./shard-sealer.ts";
import type { TaggedChunk } from "./worker-message.ts";

/** Longer frames are packed as well, in more memory. */
const FRAME_BYTES = 64 * 1024;

export type LittleRun = Omit<OpenRun, "frames"> & {
  /** In no shard yet. */
  readonly chunks: readonly TaggedChunk[];
};

/** @param run - So little that it fits into the slots, all of which are free: nobody here waits. */
export function finishHere(
  { chunks, tables, record }: LittleRun,
  subject: SealSubject,
  slots: ShardSlots,
  onShard: (sealed: SealedShard) => void,
): FinishedRun {
  const codec = new FrameCodec(FRAME_BYTES);
  const sealer = new ShardSealer(subject, slots, codec);
  const packer = new ShardPacker(() => {
    throw new RangeError("a run that fills a shard is not little");
  }, codec);
  for (const { kind, id, bytes } of chunks) packer.add(kind, id, bytes);
  const frames = packer.frames();
  return finishRun({ frames, tables, record }, { sealer, codec, setKey: subject.setKey, onShard });
}
