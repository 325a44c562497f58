/**
 * The holder's side of an audit: reads what is asked for, at a bounded rate, and answers.
 *
 * What turns out to be missing or damaged is told at once to whoever gets it back; the asker
 * hears the truth all the same.
 */
import type { Channel } from "../../core/transport.ts";
import {
  auditMac,
  decodeAuditQuestion,
  encodeAuditAnswer,
  type AuditAnswer,
  type AuditQuestion,
} from "../../../protocol/messages/audit-message.ts";
import type { ShardId, SiteId } from "../../../protocol/ids.ts";
import { LEAF_BYTES, merkleProof } from "../../../protocol/backup/shard-id.ts";
import { BackupError } from "../store/error.ts";
import type { Holder } from "../store/holder.ts";
import { mayFetch } from "../store/lists/list-rights.ts";
import type { ShardName } from "../store/shards/shard-store.ts";
import { Slots } from "../store/shards/slots.ts";
import { ReadPace } from "./read-pace.ts";

/** An asker that is silent for so long gets no more answers on this channel. */
const SILENCE_MS = 60_000;
/** Askers that are answered at once; each has at most one shard of 4 MiB in memory. */
const MAX_ASKERS = 16;
/** Shards that are read and hashed at once, for all askers. */
const MAX_READS = 2;

/** What looking for a shard that is not there is counted as. */
const LOOK_BYTES = 64 * 1024;

export class AuditServer {
  readonly #holder: Holder;
  readonly #onLacking: (name: ShardName) => void;
  readonly #pace: ReadPace;
  readonly #reads = new Slots(MAX_READS);
  readonly #askers = new Set<SiteId>();

  /** @param onLacking - A shard was asked for that is not here, or not intact. */
  constructor(holder: Holder, onLacking: (name: ShardName) => void) {
    this.#holder = holder;
    this.#onLacking = onLacking;
    this.#pace = new ReadPace(holder.clock);
  }

  async serve(channel: Channel): Promise<void> {
    const { peer } = channel;
    if (this.#askers.has(peer) || this.#askers.size >= MAX_ASKERS) {
      await channel.send(encodeAuditAnswer({ k: "refuse", why: "busy" }));
      await channel.end();
      return;
    }
    this.#askers.add(peer);
    try {
      for (;;) {
        const frame = await channel.receive(SILENCE_MS);
        if (frame === undefined) break;
        const answer = await this.#answer(peer, decodeAuditQuestion(frame));
        await channel.send(encodeAuditAnswer(answer));
        if (answer.k === "refuse") break;
      }
      await channel.end();
    } finally {
      this.#askers.delete(peer);
    }
  }

  async #answer(peer: SiteId, question: AuditQuestion): Promise<AuditAnswer> {
    const { state, lists, transport } = this.#holder;
    const { owner, set } = question;
    const known = lists.all(owner, set);
    if (!mayFetch(peer, owner, set, state.authority(), state.view(), known)) {
      return { k: "refuse", why: "right" };
    }
    if (question.k === "leaves") {
      const items: Extract<AuditAnswer, { k: "leaves" }>["items"] = [];
      for (const { shard, leaf } of question.items) {
        const leafOf = (bytes: Uint8Array) => provenLeaf(bytes, leaf);
        items.push(await this.#read(peer, { owner, set, shard }, leafOf));
      }
      return { k: "leaves", items };
    }
    const macs: (Uint8Array | null)[] = [];
    for (const shard of question.shards) {
      const macOf = (bytes: Uint8Array): Uint8Array =>
        auditMac(question.nonce, transport.self, shard as ShardId, bytes);
      macs.push(await this.#read(peer, { owner, set, shard }, macOf));
    }
    return { k: "whole", macs };
  }

  /** What is made of a shard's verified bytes; null when it is not here intact. */
  async #read<Made>(
    peer: SiteId,
    name: ShardName,
    make: (bytes: Uint8Array) => Made | null,
  ): Promise<Made | null> {
    const sizeBytes = await this.#holder.shards.sizeOf(name);
    await this.#pace.take(peer, sizeBytes ?? LOOK_BYTES);
    return this.#reads.run(async () => {
      try {
        const bytes = await this.#holder.shards.read(name);
        if (bytes !== undefined) return make(bytes);
      } catch (error) {
        if (!(error instanceof BackupError)) throw error;
      }
      this.#onLacking(name);
      return null;
    });
  }
}

/** Null when the shard is too short to have that leaf. */
function provenLeaf(bytes: Uint8Array, leaf: number) {
  const offset = leaf * LEAF_BYTES;
  if (offset >= bytes.length) return null;
  const path = [...merkleProof(bytes, offset, LEAF_BYTES)];
  return { bytes: bytes.slice(offset, offset + LEAF_BYTES), path };
}
