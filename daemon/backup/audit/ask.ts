/**
 * The asker's side of one visit: puts questions to a holder on one channel and judges the answers.
 *
 * A leaf is checked against the shard's name. The HMAC of a whole shard is compared with that of the
 * own copy, which is verified for it; without one, a leaf of the shard is asked for instead.
 */
import type { AuditItem } from "../../core/backup/audit-choice.ts";
import type { Verdict } from "../../core/backup/audit-progress.ts";
import type { Channel } from "../../core/transport.ts";
import {
  auditMac,
  AUDIT_PROTOCOL,
  decodeAuditAnswer,
  encodeAuditQuestion,
  MAX_LEAVES_ASKED,
  MAX_WHOLES_ASKED,
  type AuditAnswer,
  type AuditQuestion,
} from "../../../protocol/messages/audit-message.ts";
import type { OwnerId, SetId, SiteId } from "../../../protocol/ids.ts";
import { LEAF_BYTES, verifyRange } from "../../../protocol/backup/shard-id.ts";
import { BackupError } from "../store/error.ts";
import type { Holder } from "../store/holder.ts";
import { onChannel, type Address } from "../store/open-channel.ts";
import type { ShardName } from "../store/shards/shard-store.ts";

const OPEN_TIMEOUT_MS = 10_000;
/** The holder may read 32 MiB for one answer, at its own pace. */
const ANSWER_TIMEOUT_MS = 60_000;

export interface Judged {
  readonly item: AuditItem;
  readonly verdict: Verdict;
}

export class Visit {
  readonly #holder: Holder;
  readonly #channel: Channel;
  readonly #set: { readonly owner: OwnerId; readonly set: SetId };
  readonly #nonce: Uint8Array;
  readonly #onDamaged: (name: ShardName) => void;

  private constructor(
    holder: Holder,
    channel: Channel,
    of: { readonly owner: OwnerId; readonly set: SetId; readonly nonce: Uint8Array },
    onDamaged: (name: ShardName) => void,
  ) {
    this.#holder = holder;
    this.#channel = channel;
    this.#set = { owner: of.owner, set: of.set };
    this.#nonce = of.nonce;
    this.#onDamaged = onDamaged;
  }

  /**
   * Asks on one channel and closes it.
   *
   * @param onDamaged - The own copy of a shard turned out to be damaged.
   * @param signal - Ends it at once, whatever is waited for.
   * @throws when the holder cannot be reached, does not answer, or answers out of turn.
   */
  static async with<Result>(
    holder: Holder,
    site: SiteId,
    of: { readonly owner: OwnerId; readonly set: SetId; readonly nonce: Uint8Array },
    onDamaged: (name: ShardName) => void,
    signal: AbortSignal,
    act: (visit: Visit) => Promise<Result>,
  ): Promise<Result> {
    const address: Address = { site, protocol: AUDIT_PROTOCOL, timeoutMs: OPEN_TIMEOUT_MS };
    return onChannel(holder.transport, address, signal, (channel) => {
      return act(new Visit(holder, channel, of, onDamaged));
    });
  }

  /**
   * Asks for items in parts.
   *
   * @param judged - Told of each part's answers, before the next is asked.
   * @param enough - Whether the rest is left for another visit.
   */
  async ask(
    items: readonly AuditItem[],
    judged: (answers: readonly Judged[]) => Promise<void>,
    enough: () => boolean = () => false,
  ): Promise<void> {
    const leaves = items.filter(({ leaf }) => leaf !== null);
    for (const part of parts(leaves, MAX_LEAVES_ASKED)) {
      if (enough()) return;
      await judged(await this.#leaves(part));
    }
    const wholes = items.filter(({ leaf }) => leaf === null);
    for (const part of parts(wholes, MAX_WHOLES_ASKED)) {
      if (enough()) return;
      await judged(await this.#wholes(part));
    }
  }

  async #leaves(items: readonly AuditItem[]): Promise<Judged[]> {
    const asked = items.map(({ shard, leaf }) => ({ shard, leaf: leaf ?? 0 }));
    const answer = await this.#exchange({ k: "leaves", v: 1, ...this.#set, items: asked });
    if (answer.k !== "leaves" || answer.items.length !== items.length) throw outOfTurn();
    return items.map((item, at) => {
      const given = answer.items[at];
      const { shard, sizeBytes, leaf } = item;
      const range = { ...this.#set, shard, sizeBytes, rangeBytes: LEAF_BYTES };
      const offsetBytes = (leaf ?? 0) * LEAF_BYTES;
      const isRight =
        given !== null &&
        given !== undefined &&
        verifyRange({ ...range, offsetBytes, bytes: given.bytes, proof: given.path });
      return { item, verdict: isRight ? "right" : "wrong" };
    });
  }

  async #wholes(items: readonly AuditItem[]): Promise<Judged[]> {
    const expected: { item: AuditItem; mac: Uint8Array }[] = [];
    const instead: AuditItem[] = [];
    for (const item of items) {
      const mac = await this.#ownMac(item);
      if (mac !== undefined) expected.push({ item, mac });
      else instead.push({ ...item, leaf: this.#leafOf(item) });
    }
    const judged = instead.length === 0 ? [] : await this.#leaves(instead);
    const ofOthers = judged.map(({ item, verdict }) => ({
      item: { ...item, leaf: null },
      verdict,
    }));
    if (expected.length === 0) return ofOthers;
    const shards = expected.map(({ item }) => item.shard);
    const answer = await this.#exchange({
      ...{ k: "whole", v: 1, ...this.#set, nonce: this.#nonce, shards },
    });
    if (answer.k !== "whole" || answer.macs.length !== shards.length) throw outOfTurn();
    const compared = expected.map(({ item, mac }, at): Judged => {
      const given = answer.macs[at] ?? undefined;
      const isRight = given !== undefined && Buffer.compare(given, mac) === 0;
      return { item, verdict: isRight ? "right" : "wrong" };
    });
    return [...ofOthers, ...compared];
  }

  async #ownMac({ shard }: AuditItem): Promise<Uint8Array | undefined> {
    const name = { ...this.#set, shard };
    try {
      const bytes = await this.#holder.shards.read(name);
      if (bytes === undefined) return undefined;
      return auditMac(this.#nonce, this.#channel.peer, shard, bytes);
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      this.#onDamaged(name);
      return undefined;
    }
  }

  #leafOf({ sizeBytes }: AuditItem): number {
    const [high = 0, low = 0] = this.#holder.clock.random(2);
    return (high * 256 + low) % (sizeBytes / LEAF_BYTES);
  }

  async #exchange(question: AuditQuestion): Promise<AuditAnswer> {
    await this.#channel.send(encodeAuditQuestion(question));
    const frame = await this.#channel.receive(ANSWER_TIMEOUT_MS);
    if (frame === undefined) throw outOfTurn();
    return decodeAuditAnswer(frame);
  }
}

function parts<Item>(items: readonly Item[], most: number): Item[][] {
  const all: Item[][] = [];
  for (let at = 0; at < items.length; at += most) all.push(items.slice(at, at + most));
  return all;
}

function outOfTurn(): BackupError {
  return new BackupError("E-BACKUP-PEER", "A holder did not answer what it was asked.");
}
