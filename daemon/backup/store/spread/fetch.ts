/** Fetches single shards and lists from holders, and gives them to those who may have them. */
import type { Channel } from "../../../core/transport.ts";
import type { OwnerId, SetId, SiteId } from "../../../../protocol/ids.ts";
import { LIST_ENTRY_BYTES } from "../../../../protocol/backup/list.ts";
import { isRangeStart, rangeRoots } from "../../../../protocol/backup/shard-ranges.ts";
import {
  decodeHolderMessage,
  encodeHolderMessage,
  encodeOpenerMessage,
  SHARD_PROTOCOL,
  type OpenerMessage,
} from "../../../../protocol/messages/shard-message.ts";
import { noRoom } from "../shards/disk-error.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import { isOwnersSite, mayFetch } from "../lists/list-rights.ts";
import { loadList, type LoadedList } from "../lists/list-store.ts";
import { onChannel, type Address } from "../open-channel.ts";
import { SILENCE_MS } from "./outbox.ts";
import type { PartialShard } from "../shards/partial-shards.ts";
import { readRanges, type AskOptions, type RangeTarget } from "../shards/read-ranges.ts";
import { readRaw, refuse, waitSeconds } from "../lists/list-channel.ts";
import { rawFrames } from "../lists/send-list.ts";
import type { ShardName } from "../shards/shard-store.ts";

const OPEN_TIMEOUT_MS = 10_000;

/** Answers one `get`. */
export async function serveShard(
  holder: Holder,
  channel: Channel,
  wanted: Extract<OpenerMessage, { k: "get" }>,
): Promise<void> {
  const { state, lists, shards } = holder;
  const { owner, set } = wanted;
  // Only the owner's own sites can have a person who waits: whoever repairs would say so to be first.
  const isOwners = isOwnersSite(channel.peer, owner, set, state.authority());
  const why = isOwners ? wanted.why : "repair";
  const waitMs = holder.transport.opensInMs?.(channel.peer, why) ?? 0;
  if (waitMs > 0) {
    await refuse(channel, "hours", waitSeconds(waitMs));
    return;
  }
  channel.carries?.({ urgency: why, owner, set });
  const known = lists.all(owner, set);
  const allowed = mayFetch(channel.peer, owner, set, state.authority(), state.view(), known);
  const bytes = allowed ? await shards.read(wanted) : undefined;
  if (bytes === undefined) {
    await channel.send(encodeHolderMessage({ k: "missing" }));
  } else {
    const from = isRangeStart(bytes.length, wanted.from) ? wanted.from : 0;
    const roots = rangeRoots(bytes);
    await channel.send(encodeHolderMessage({ k: "found", sizeBytes: bytes.length, roots }));
    for (const frame of rawFrames(bytes.subarray(from))) await channel.send(frame);
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
 *
 * @param signal - Ends it at once, whatever is waited for.
 */
export async function fetchList(
  holder: Holder,
  site: SiteId,
  wanted: { readonly owner: OwnerId; readonly set: SetId; readonly group: number },
  signal: AbortSignal,
): Promise<LoadedList | undefined> {
  return onChannel(holder.transport, addressOf(site), signal, async (channel) => {
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
  });
}

/**
 * Asks one holder for a shard, or for the rest of it. Whether it has it.
 *
 * @throws BackupError (E-BACKUP-SHARD) when it gives what is not the shard.
 */
export async function fetchRanges(
  holder: Pick<Holder, "transport">,
  site: SiteId,
  name: ShardName,
  target: RangeTarget,
  options: AskOptions & { readonly why: "restore" | "repair"; readonly signal: AbortSignal },
): Promise<boolean> {
  return onChannel(holder.transport, addressOf(site), options.signal, async (channel) => {
    const { owner, set, shard } = name;
    const { why } = options;
    channel.carries?.({ urgency: why, owner, set });
    const wanted = target.startBytes();
    const what = { owner, set, shard, from: wanted, why };
    await channel.send(encodeOpenerMessage({ k: "get", v: 1, ...what }));
    const frame = await channel.receive(options.silenceMs);
    const message = frame === undefined ? undefined : decodeHolderMessage(frame);
    if (message?.k !== "found") return false;
    const { sizeBytes, roots } = message;
    const from = isRangeStart(sizeBytes, wanted) ? wanted : 0;
    await readRanges(channel, await target.begin(sizeBytes, roots, from), options);
    return true;
  });
}

function addressOf(site: SiteId): Address {
  return { site, protocol: SHARD_PROTOCOL, timeoutMs: OPEN_TIMEOUT_MS };
}

/**
 * Brings a shard into the store from one holder. What came of it stays when it is cut off.
 *
 * @returns undefined when the holder does not have it in this size.
 * @param signal - Ends it at once, whatever is waited for.
 * @throws BackupError when it gives what is not the shard, or it cannot be kept.
 */
export async function fetchIntoStore(
  holder: Holder,
  site: SiteId,
  name: ShardName,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<"stored" | "there" | undefined> {
  const { shards, clock } = holder;
  const open: { partial?: PartialShard } = {};
  const target: RangeTarget = {
    startBytes: () => shards.partials.bytesOf(name.shard),
    begin: async (size, roots, from) => {
      if (size !== sizeBytes) throw new BackupError("E-BACKUP-PEER", "The size is another one.");
      if ((await shards.freeBytes()) < sizeBytes - from) throw noRoom();
      const coming = { ...name, sizeBytes, roots };
      open.partial = await shards.partials.begin(coming, from, clock.wallMs());
      return open.partial;
    },
  };
  try {
    const isThere = await fetchRanges(holder, site, name, target, {
      why: "repair",
      silenceMs: SILENCE_MS,
      signal,
    });
    return isThere && open.partial !== undefined ? await shards.adopt(open.partial) : undefined;
  } finally {
    await open.partial?.leave();
  }
}
