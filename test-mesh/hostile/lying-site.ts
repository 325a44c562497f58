/**
 * The program of a site that lies about what it holds: the daemon as it is, with its answers to
 * audits and reads replaced for the data sets that a file names.
 *
 * The file is a JSON object of {@link Lie}s by data set, read at every question; about all other
 * sets it is honest, and so it is in all else. Its path stands in PLEACH_LIES, and the data
 * directory in PLEACH_LIAR_DATA.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Channel, ChannelHandler, ProtocolName } from "../../daemon/core/transport.ts";
import { Mesh } from "../../daemon/mesh/mesh.ts";
import {
  AUDIT_PROTOCOL,
  decodeAuditQuestion,
  encodeAuditAnswer,
} from "../../protocol/messages/audit-message.ts";
import type { OwnerId, SetId, SiteId } from "../../protocol/ids.ts";
import {
  decodeOpenerMessage,
  encodeHolderMessage,
  RAW_FRAME_BYTES,
  SHARD_PROTOCOL,
} from "../../protocol/messages/shard-message.ts";
import { rangeRoots } from "../../protocol/backup/shard-ranges.ts";
import { lyingAnswer, lyingBytes, type Liar, type Lie } from "./lies.ts";

const WAIT_MS = 60_000;
const { PLEACH_LIES: lies = "", PLEACH_LIAR_DATA: data = "" } = process.env;

type Serve = (this: Mesh, protocol: ProtocolName, handler: ChannelHandler) => void;
const serve = Reflect.get(Mesh.prototype, "handle") as Serve;
Mesh.prototype.handle = function (this: Mesh, protocol, handler) {
  const lying: Partial<Record<ProtocolName, ChannelHandler>> = {
    [AUDIT_PROTOCOL]: (channel) => audited(this.self, channel, handler),
    [SHARD_PROTOCOL]: (channel) => read(this.self, channel, handler),
  };
  serve.call(this, protocol, lying[protocol] ?? handler);
};

async function audited(self: SiteId, channel: Channel, honest: ChannelHandler): Promise<void> {
  const first = await channel.receive(WAIT_MS);
  if (first === undefined) return;
  const liar = await liarAbout(self, decodeAuditQuestion(first));
  if (liar === undefined || liar.lie === "hoards") return honest(again(first, channel));
  for (let frame: Uint8Array | undefined = first; frame !== undefined;) {
    await channel.send(encodeAuditAnswer(await lyingAnswer(liar, decodeAuditQuestion(frame))));
    frame = await channel.receive(WAIT_MS);
  }
}

async function read(self: SiteId, channel: Channel, honest: ChannelHandler): Promise<void> {
  const first = await channel.receive(WAIT_MS);
  if (first === undefined) return;
  const message = decodeOpenerMessage(first);
  const liar = message.k === "get" ? await liarAbout(self, message) : undefined;
  if (message.k !== "get" || liar === undefined) return honest(again(first, channel));
  const bytes = await lyingBytes(liar, message.shard);
  if (bytes === undefined) await channel.send(encodeHolderMessage({ k: "missing" }));
  else {
    const { length: sizeBytes } = bytes;
    await channel.send(encodeHolderMessage({ k: "found", sizeBytes, roots: rangeRoots(bytes) }));
    for (let at = message.from; at < bytes.length; at += RAW_FRAME_BYTES) {
      await channel.send(bytes.subarray(at, at + RAW_FRAME_BYTES));
    }
  }
  await channel.end();
}

async function liarAbout(
  siteId: SiteId,
  { owner, set }: { readonly owner: OwnerId; readonly set: SetId },
): Promise<Liar | undefined> {
  const told = JSON.parse(await readFile(lies, "utf8")) as Readonly<Record<string, Lie>>;
  const lie = told[set];
  if (lie === undefined) return undefined;
  return { siteId, lie, folder: join(data, "shards", "shards", owner, set) };
}

/** The channel as it was before its first frame was read. */
function again(first: Uint8Array, channel: Channel): Channel {
  let unread: Uint8Array | undefined = first;
  return {
    peer: channel.peer,
    send: (frame) => channel.send(frame),
    receive: async (timeoutMs) => {
      const frame = unread ?? (await channel.receive(timeoutMs));
      unread = undefined;
      return frame;
    },
    end: () => channel.end(),
    abort: (reason) => channel.abort(reason),
    carries: (flow) => channel.carries?.(flow),
  };
}

await import("../../daemon/pleach.ts");
