/**
 * Answers a box that proved an owner's recovery key: this owner's data, and nothing else.
 *
 * The link's key decides whose data it is; the box cannot name an owner. What comes from the
 * replicated state and what comes from the DHT are separate questions, so that either alone
 * suffices and can be shown to suffice.
 */
import { placesIn } from "../../../core/backup/published.ts";
import type { Channel } from "../../../core/transport.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import type { OwnerId, PeerKey, SetId, SiteId } from "../../../../protocol/ids.ts";
import { cutItems } from "../../../../protocol/encoding/item-frames.ts";
import {
  decodeQuestion,
  encodeAnswer,
  MAX_ANSWER_ITEMS,
  type RecoverQuestion,
  type SiteAddresses,
} from "../../../../protocol/messages/recover-message.ts";
import { isRangeStart, rangeRoots } from "../../../../protocol/backup/shard-ranges.ts";
import { nodeRecord, tipsKey, tipsRecord } from "../../../../protocol/logs/record.ts";
import { encodeStatement } from "../../../../protocol/statements/statement.ts";
import { BackupError } from "../error.ts";
import type { Holder } from "../holder.ts";
import { earlierHeads } from "../lists/earlier-heads.ts";
import { providerKey } from "../lists/holdings.ts";
import { SILENCE_MS } from "../spread/outbox.ts";
import type { ProviderRecords } from "../ports.ts";
import { rawFrames } from "../lists/send-list.ts";

/** A person may think between two questions; the box asks again when the channel is gone. */
const IDLE_MS = 10 * 60_000;
const PROVIDERS_TIMEOUT_MS = 20_000;

export class RecoverServer {
  readonly #holder: Holder;
  readonly #providers: ProviderRecords;

  constructor(holder: Holder, providers: ProviderRecords) {
    this.#holder = holder;
    this.#providers = providers;
  }

  /** Serves one channel until the box ends it. */
  async serve(channel: Channel<PeerKey>): Promise<void> {
    const first = await channel.receive(SILENCE_MS);
    if (first === undefined) return;
    const hello = decodeQuestion(first);
    const owner = this.#ownerOf(channel.peer);
    if (hello.k !== "hello" || hello.mesh !== this.#holder.state.meshId || owner === undefined) {
      throw new BackupError("E-BACKUP-PEER", "The box is no owner's of this mesh.");
    }
    this.#holder.log.warn("a recovery of an owner's data has begun", { owner });
    await channel.send(encodeAnswer({ k: "welcome", owner }));
    for (;;) {
      const frame = await channel.receive(IDLE_MS);
      if (frame === undefined) break;
      // Asked each time: the owner may have been replaced meanwhile.
      if (this.#ownerOf(channel.peer) !== owner) break;
      await this.#answer(channel, owner, decodeQuestion(frame));
    }
    await channel.end();
  }

  #ownerOf(peer: PeerKey): OwnerId | undefined {
    return this.#holder.state.authority().ownerOfRecovery(peer)?.ownerId;
  }

  async #answer(channel: Channel<PeerKey>, owner: OwnerId, question: RecoverQuestion) {
    switch (question.k) {
      case "hello":
        throw new BackupError("E-BACKUP-PEER", "A second hello.");
      case "statements": {
        const items = this.#holder.state.statements().map(encodeStatement);
        for (const { part, more } of cutItems(items, MAX_ANSWER_ITEMS)) {
          await channel.send(encodeAnswer({ k: "statements", items: part, more }));
        }
        return;
      }
      case "lists": {
        const lists = await Promise.all(
          this.#holder.lists.all(owner).map(async ({ header: { set, group } }) => {
            const list = await this.#bestList(owner, set, group);
            return list === undefined
              ? []
              : [{ header: list.signed.header, signature: list.signed.signature }];
          }),
        );
        const earlier = await earlierHeads(this.#holder.lists, owner);
        for (const { part, more } of parts([...lists.flat(), ...earlier])) {
          await channel.send(encodeAnswer({ k: "lists", items: part, more }));
        }
        return;
      }
      case "state": {
        const { heads, holders } = this.#fromState(owner);
        for (const { part, more } of parts(heads)) {
          const rest = more ? [] : holders.slice(0, MAX_ANSWER_ITEMS);
          await channel.send(encodeAnswer({ k: "state", heads: part, holders: rest, more }));
        }
        return;
      }
      case "providers": {
        const { meshId } = this.#holder.state;
        if (meshId === undefined) return;
        const key = providerKey(meshId, owner);
        const found = await this.#providers
          .findProviders(key, PROVIDERS_TIMEOUT_MS)
          .catch((): readonly SiteId[] => []);
        const sites = found.slice(0, MAX_ANSWER_ITEMS).map((site) => this.#addressesOf(site));
        await channel.send(encodeAnswer({ k: "providers", sites }));
        return;
      }
      case "entries": {
        const list = await this.#bestList(owner, question.set, question.group);
        await sendRaw(channel, list?.signed.entries);
        return;
      }
      case "shard": {
        const { set, shard, from } = question;
        const bytes = await this.#holder.shards
          .read({ owner, set, shard })
          .catch((): undefined => undefined);
        await sendShard(channel, bytes, from);
        return;
      }
    }
  }

  /**
   * The newest list whose shards are all here. A box that was lost while it spread a snapshot left
   * newer lists with gaps in them; such a one is shown only where there never was a full one.
   */
  async #bestList(owner: OwnerId, set: SetId, group: number) {
    const { lists } = this.#holder;
    const complete = await lists.load(owner, set, group, "complete");
    return complete ?? lists.load(owner, set, group);
  }

  /** Heads as all members know them, and the sites that should hold or say they hold something. */
  #fromState(owner: OwnerId): {
    heads: { set: SetId; head: Head }[];
    holders: SiteAddresses[];
  } {
    const view = this.#holder.state.view();
    const heads: { set: SetId; head: Head }[] = [];
    const sites = new Set<SiteId>();
    for (const { set, author, place } of placesIn(view)) {
      if (place.owner !== owner) continue;
      if (place.head !== null) heads.push({ set, head: place.head });
      const beside = tipsRecord.safeParse(view.get("place", tipsKey(set), author)?.value);
      if (beside.success) for (const head of beside.data.tips) heads.push({ set, head });
      for (const { targets } of place.groups) for (const site of targets) sites.add(site);
    }
    for (const { key, author } of view.entries("hold")) {
      if (key.startsWith(`${owner}/`)) sites.add(author);
    }
    return { heads, holders: [...sites].map((site) => this.#addressesOf(site)) };
  }

  #addressesOf(site: SiteId): SiteAddresses {
    const node = nodeRecord.safeParse(this.#holder.state.view().get("site", "node", site)?.value);
    return { site, addresses: node.success ? node.data.addresses : [] };
  }
}

async function sendShard(
  channel: Channel<PeerKey>,
  bytes: Uint8Array | undefined,
  wanted: number,
): Promise<void> {
  if (bytes === undefined) return sendRaw(channel, undefined);
  const from = isRangeStart(bytes.length, wanted) ? wanted : 0;
  const roots = rangeRoots(bytes);
  await channel.send(encodeAnswer({ k: "shard", sizeBytes: bytes.length, roots }));
  for (const frame of rawFrames(bytes.subarray(from))) await channel.send(frame);
}

async function sendRaw(channel: Channel<PeerKey>, bytes: Uint8Array | undefined): Promise<void> {
  if (bytes === undefined) {
    await channel.send(encodeAnswer({ k: "missing" }));
    return;
  }
  await channel.send(encodeAnswer({ k: "raw", sizeBytes: bytes.length }));
  for (const frame of rawFrames(bytes)) await channel.send(frame);
}

/** Cuts an answer into frames; there is always a last one. */
function* parts<Item>(items: readonly Item[]): Generator<{ part: Item[]; more: boolean }> {
  let at = 0;
  do {
    const part = items.slice(at, at + MAX_ANSWER_ITEMS);
    at += MAX_ANSWER_ITEMS;
    yield { part, more: at < items.length };
  } while (at < items.length);
}
