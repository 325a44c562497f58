/** Fetches single shards and lists from holders, and gives them to those who may have them. */
import type { Channel } from "../../core/transport.ts";
import type { OwnerId, SetId, SiteId } from "../../../protocol/ids.ts";
import { LIST_ENTRY_BYTES } from "../../../protocol/list.ts";
import { shardIdOf } from "../../../protocol/shard-id.ts";
import {
  decodeHolderMessage,
  encodeHolderMessage,
  encodeOpenerMessage,
  SHARD_PROTOCOL,
  type OpenerMessage,
} from "../../../protocol/shard-message.ts";
import { BackupError } from "./error.ts";
import type { Holder } from "./holder.ts";
import { mayFetch } from "./list-rights.ts";
import { loadList, type LoadedList } from "./list-store.ts";
import { SILENCE_MS } from "./outbox.ts";
import { readRaw } from "./receive-list.ts";
import { rawFrames } from "./send-list.ts";
import type { ShardName } from "./shard-store.ts";

const OPEN_TIMEOUT_MS = 10_000;

/** Answers one `get`. */
export async function serveShard(
  holder: Holder,
  channel: Channel,
  wanted: Extract<OpenerMessage, { k: "get" }>,
): Promise<void> {
  const { state, lists, shards } = holder;
  const { owner, set } = wanted;
  const known = lists.all(owner, set);
  const allowed = mayFetch(channel.peer, owner, set, state.authority(), state.view(), known);
  const bytes = allowed ? await shards.read(wanted) : undefined;
  if (bytes === undefined) {
    await channel.send(encodeHolderMessage({ k: "missing" }));
  } else {
    await channel.send(encodeHolderMessage({ k: "found", sizeBytes: bytes.length }));
    for (const frame of rawFrames(bytes)) await channel.send(frame);
  }
  await channel.end();
}

/** Answers one `list`. */
export async function serveList(
  holder: Holder,
  channel: Channel,
  wanted: Extract<OpenerMessage, { k: "list" }>,
): Promise<void> {
  const { state, lists } = holder;
  const { owner, set, group } = wanted;
  const known = lists.all(owner, set);
  const allowed = mayFetch(channel.peer, owner, set, state.authority(), state.view(), known);
  const list = allowed ? await lists.load(owner, set, group) : undefined;
  if (list === undefined) {
    await channel.send(encodeHolderMessage({ k: "missing" }));
  } else {
    const { header, signature, entries } = list.signed;
    const count = list.entries.length;
    await channel.send(encodeHolderMessage({ k: "listed", header, signature, entries: count }));
    for (const frame of rawFrames(entries)) await channel.send(frame);
  }
  await channel.end();
}

/**
 * A holder's newest list of a group, verified in itself; whether its signer may sign is for the
 * caller to ask. Undefined when the holder has none.
 */
export async function fetchList(
  holder: Holder,
  site: SiteId,
  wanted: { readonly owner: OwnerId; readonly set: SetId; readonly group: number },
): Promise<LoadedList | undefined> {
  const channel = await holder.transport.open(site, SHARD_PROTOCOL, OPEN_TIMEOUT_MS);
  try {
    const { owner, set, group } = wanted;
    await channel.send(encodeOpenerMessage({ k: "list", v: 1, owner, set, group }));
    const frame = await channel.receive(SILENCE_MS);
    const message = frame === undefined ? undefined : decodeHolderMessage(frame);
    if (message?.k !== "listed") return undefined;
    const { header, signature } = message;
    const entries = await readRaw(channel, message.entries * LIST_ENTRY_BYTES);
    const list = loadList({ header, signature, entries });
    const { header: said } = list;
    return said.owner === owner && said.set === set && said.group === group ? list : undefined;
  } finally {
    channel.abort("done");
  }
}

/** A shard from one holder, verified. Undefined when it does not have it. */
export async function fetchShard(
  holder: Holder,
  site: SiteId,
  name: ShardName,
): Promise<Uint8Array | undefined> {
  const channel = await holder.transport.open(site, SHARD_PROTOCOL, OPEN_TIMEOUT_MS);
  try {
    const { owner, set, shard } = name;
    await channel.send(encodeOpenerMessage({ k: "get", v: 1, owner, set, shard }));
    const frame = await channel.receive(SILENCE_MS);
    const message = frame === undefined ? undefined : decodeHolderMessage(frame);
    if (message?.k !== "found") return undefined;
    const bytes = await readRaw(channel, message.sizeBytes);
    if (shardIdOf(owner, set, bytes) !== shard) {
      throw new BackupError("E-BACKUP-SHARD", `${site} gave other bytes than the shard's.`);
    }
    return bytes;
  } finally {
    channel.abort("done");
  }
}
