/** Takes the rest of a shard off a channel, range by range. */
import type { Channel } from "../../../core/transport.ts";
import type { PeerKey } from "../../../../protocol/ids.ts";
import { RANGE_BYTES } from "../../../../protocol/backup/shard-id.ts";
import { RAW_FRAME_BYTES } from "../../../../protocol/messages/shard-message.ts";
import { BackupError } from "../error.ts";

/** Takes in a shard, or the rest of one, of which size and roots are told first. */
export interface RangeTarget {
  /** Where to go on from. */
  startBytes(): number;
  /** @throws BackupError (E-BACKUP-SHARD) when the roots are of another shard. */
  begin(sizeBytes: number, roots: Uint8Array, from: number): Promise<RangeSink>;
}

export interface AskOptions {
  /** How long nothing may come. */
  readonly silenceMs: number;
  /** Told of each range; what it throws ends the reading, and the ranges stay. */
  readonly onRange?: (sizeBytes: number) => void;
}

/** Where verified ranges go. */
export interface RangeSink {
  /** How long the next range is; 0 when the shard is whole. */
  readonly nextBytes: number;
  /** @throws BackupError (E-BACKUP-SHARD) when the bytes are not that range. */
  add(range: Uint8Array): Promise<void>;
}

/**
 * Resolves when the shard is whole. Holds one range in memory.
 *
 * @throws BackupError (E-BACKUP-PEER) when the sender breaks off, (E-BACKUP-SHARD) when it sends
 * what is not the shard; the ranges before stay.
 */
export async function readRanges(
  channel: Pick<Channel<PeerKey>, "receive">,
  sink: RangeSink,
  options: AskOptions,
): Promise<void> {
  const buffer = new Uint8Array(RANGE_BYTES);
  while (sink.nextBytes > 0) {
    const range = buffer.subarray(0, sink.nextBytes);
    for (let at = 0; at < range.length;) {
      const frame = await channel.receive(options.silenceMs);
      // A frame of another size would let a sender drip: time-outs count frames.
      if (frame?.length !== Math.min(RAW_FRAME_BYTES, range.length - at)) {
        throw new BackupError("E-BACKUP-PEER", "The sender broke off in a shard.");
      }
      range.set(frame, at);
      at += frame.length;
    }
    await sink.add(range);
    options.onRange?.(range.length);
  }
}
