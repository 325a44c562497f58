/** What either side of a channel of `/pleach/shard/1` reads, and how a holder says no on it. */
import type { Channel } from "../../../core/transport.ts";
import type { PeerKey } from "../../../../protocol/ids.ts";
import {
  decodeOpenerMessage,
  encodeHolderMessage,
  RAW_FRAME_BYTES,
  type HolderMessage,
  type OpenerMessage,
} from "../../../../protocol/messages/shard-message.ts";
import { BackupError } from "../error.ts";
import { SILENCE_MS } from "../spread/outbox.ts";

/** At most a day: then it is asked again. A line that never opens says so each day. */
export function waitSeconds(waitMs: number): number {
  return Math.ceil(Math.min(waitMs, 86_400_000) / 1000);
}

/** Ends the channel with a no. @param value - What belongs to the reason; see shard-message.ts. */
export async function refuse(
  channel: Channel,
  why: Extract<HolderMessage, { k: "refuse" }>["why"],
  value: number,
): Promise<void> {
  await channel.send(encodeHolderMessage({ k: "refuse", why, value }));
  await channel.end();
}

/** The next message that is more than a sign of life. */
export async function nextMessage(channel: Channel): Promise<OpenerMessage> {
  for (;;) {
    const frame = await channel.receive(SILENCE_MS);
    if (frame === undefined) {
      throw new BackupError("E-BACKUP-PEER", "The sender ended the transfer early.");
    }
    const message = decodeOpenerMessage(frame);
    if (message.k !== "wait") return message;
  }
}

/** So many raw bytes; the number was bounded by the schema of the message before. */
export async function readRaw(
  channel: Pick<Channel<PeerKey>, "receive">,
  sizeBytes: number,
): Promise<Uint8Array> {
  const raw = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes;) {
    const frame = await channel.receive(SILENCE_MS);
    // A frame of another size would let a peer drip: time-outs count frames.
    if (frame?.length !== Math.min(RAW_FRAME_BYTES, sizeBytes - at)) {
      throw new BackupError("E-BACKUP-PEER", "A peer sent raw bytes of a wrong size.");
    }
    raw.set(frame, at);
    at += frame.length;
  }
  return raw;
}

export function outOfTurn(kind: string): BackupError {
  return new BackupError("E-BACKUP-PEER", `The sender sent "${kind}" out of turn.`);
}
