/**
 * A holder that keeps the receipts of later hops to itself, while the file that PLEACH_WITHHOLD
 * names is there. It takes shards, passes them on and signs for its own as any other does.
 */
import { existsSync } from "node:fs";
import { ListReceiver } from "../../daemon/backup/store/lists/receive-list.ts";
import type { Channel } from "../../daemon/core/transport.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { openReceipt } from "../../protocol/backup/receipt.ts";
import { decodeHolderMessage, encodeHolderMessage } from "../../protocol/messages/shard-message.ts";

const flagFile = process.env["PLEACH_WITHHOLD"] ?? "";

function withholding(channel: Channel, later: readonly SiteId[]): Channel {
  return {
    peer: channel.peer,
    send: (frame) => channel.send(existsSync(flagFile) ? without(frame, later) : frame),
    receive: (timeoutMs) => channel.receive(timeoutMs),
    end: () => channel.end(),
    abort: (reason) => channel.abort(reason),
    carries: (flow) => channel.carries?.(flow),
  };
}

function without(frame: Uint8Array, later: readonly SiteId[]): Uint8Array {
  const message = decodeHolderMessage(frame);
  if (message.k !== "receipt") return frame;
  const receipts = message.receipts.filter((signed) => !later.includes(openReceipt(signed).holder));
  return encodeHolderMessage({ k: "receipt", receipts });
}

const serve = Reflect.get(ListReceiver.prototype, "serve") as ListReceiver["serve"];
ListReceiver.prototype.serve = function (channel, offer) {
  return serve.call(this, withholding(channel, offer.chain), offer);
};

await import("../../daemon/pleach.ts");
