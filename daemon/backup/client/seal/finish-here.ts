/** Ends a run in the thread that asks for it: one shard of a few kilobytes, in milliseconds. */
import { finishRun, type FinishedRun, type OpenRun } from "../run/finish-run.ts";
import { FrameCodec } from "./frame-codec.ts";
import {
  ShardSealer,
  type SealSubject,
  type SealedShard,
  type ShardSlots,
} from "./shard-sealer.ts";

/** Longer frames are packed as well, in more memory. */
const FRAME_BYTES = 64 * 1024;

/** @param run - So little that it fits into the slots, all of which are free: nobody here waits. */
export function finishHere(
  run: OpenRun,
  subject: SealSubject,
  slots: ShardSlots,
  onShard: (sealed: SealedShard) => void,
): FinishedRun {
  const codec = new FrameCodec(FRAME_BYTES);
  const sealer = new ShardSealer(subject, slots, codec);
  return finishRun(run, { sealer, codec, setKey: subject.setKey, onShard });
}
