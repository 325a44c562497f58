/** Offers a signed list to a holder as its site does, whatever stands in it. */
import { rawFrames } from "../../daemon/backup/store/lists/send-list.ts";
import type { Channel } from "../../daemon/core/transport.ts";
import { unpackEntries, type SignedList } from "../../protocol/backup/list.ts";
import { rangeRoots } from "../../protocol/backup/shard-ranges.ts";
import type { ShardId } from "../../protocol/ids.ts";
import {
  decodeHolderMessage,
  encodeOpenerMessage,
  unpackBits,
  type HolderMessage,
  type OpenerMessage,
} from "../../protocol/messages/shard-message.ts";

const WAIT_MS = 120_000;

/**
 * Sends what the holder wants of the list.
 *
 * @param shards - The bytes of those that may be wanted.
 * @returns "end" when the holder has all of it, or why it refused.
 */
export async function offerList(
  channel: Channel,
  { header, signature, entries }: SignedList,
  shards: ReadonlyMap<ShardId, Uint8Array>,
): Promise<string> {
  const say = (message: OpenerMessage) => channel.send(encodeOpenerMessage(message));
  await say({ k: "offer", v: 1, header, signature, chain: [] });
  const named = unpackEntries(entries);
  for (;;) {
    const message = await hear(channel);
    if (message.k === "need" && !message.known) {
      await say({ k: "entries", base: null, added: named.length, removed: 0 });
      for (const frame of rawFrames(entries)) await channel.send(frame);
    } else if (message.k === "want") {
      for (const index of unpackBits(named.length, message.bits)) {
        const bytes = shards.get(named[index]?.shard ?? ("" as ShardId));
        if (bytes === undefined) throw new Error("wanted is what nobody has");
        await say({ k: "shard", index, from: 0, roots: rangeRoots(bytes) });
        for (const frame of rawFrames(bytes)) await channel.send(frame);
      }
      await say({ k: "done" });
    } else if (message.k === "refuse") {
      return message.why;
    } else if (message.k === "end") {
      return "end";
    }
  }
}

async function hear(channel: Channel): Promise<HolderMessage> {
  const frame = await channel.receive(WAIT_MS);
  if (frame === undefined) throw new Error("the holder ended the channel");
  return decodeHolderMessage(frame);
}
