/**
 * What a day of a data set puts on the lines, in bytes: added up from the messages that go, as
 * they are encoded. What TCP and Noise add (some 3 %) is left out.
 */
import type { LoadedList } from "../../daemon/backup/store/lists/list-store.ts";
import {
  chooseLeaves,
  LEAVES_IN_ROUND,
  spreadLeaves,
  wholesInTurn,
  type AuditItem,
} from "../../daemon/core/backup/audit-choice.ts";
import {
  encodeAuditAnswer,
  encodeAuditQuestion,
  MAX_LEAVES_ASKED,
  MAX_WHOLES_ASKED,
  NONCE_BYTES,
} from "../../protocol/messages/audit-message.ts";
import { idBytes, idOf, sha256, type SiteId, type StoreId } from "../../protocol/ids.ts";
import { packEntries } from "../../protocol/backup/list.ts";
import { signReceipt } from "../../protocol/backup/receipt.ts";
import { LEAF_BYTES, SHARD_BYTES } from "../../protocol/backup/shard-id.ts";
import { MAX_ROOTS_BYTES } from "../../protocol/backup/shard-ranges.ts";
import {
  encodeHolderMessage,
  encodeOpenerMessage,
  packBits,
  RAW_FRAME_BYTES,
  REMOVED_ENTRY_BYTES,
} from "../../protocol/messages/shard-message.ts";
import { KEY, MESH, OWNER, SET } from "./tebibyte-set.ts";

/** Length before each frame of a channel. */
const FRAME_HEAD_BYTES = 4;
const CHAIN = ["b", "c"].map((name) => idOf<SiteId>(sha256(name)));
const HOLDERS = CHAIN.length + 1;

function framed(...frames: readonly Uint8Array[]): number {
  return frames.reduce((sum, { length }) => sum + length + FRAME_HEAD_BYTES, 0);
}

export interface ListTraffic {
  /** The owner's site to the first hop: lists and differences, no shards. */
  readonly upBytes: number;
  /** Back to it: what is wanted, and the receipts of three holders. */
  readonly downBytes: number;
}

/** One run: these lists follow those. @param added - Names that are new, by group. */
export function listTraffic(
  before: readonly LoadedList[],
  after: readonly LoadedList[],
): ListTraffic {
  let upBytes = 0;
  let downBytes = 0;
  for (const [group, list] of after.entries()) {
    const base = before[group];
    const known = new Set(base?.entries.map(({ shard }) => shard));
    const now = new Set(list.entries.map(({ shard }) => shard));
    const added = list.entries.filter(({ shard }) => !known.has(shard));
    const removed = [...known].filter((shard) => !now.has(shard));
    const { header, signature } = list.signed;
    const counts = { added: added.length, removed: removed.length };
    upBytes += framed(
      encodeOpenerMessage({ k: "offer", v: 1, header, signature, chain: [...CHAIN] }),
      encodeOpenerMessage({ k: "entries", base: base?.id ?? null, ...counts }),
      packEntries(added),
      new Uint8Array(removed.length * REMOVED_ENTRY_BYTES),
      encodeOpenerMessage({ k: "done" }),
    );
    const wanted = new Set(list.entries.flatMap(({ shard }, at) => (known.has(shard) ? [] : at)));
    downBytes += framed(
      encodeHolderMessage({ k: "need", known: false, base: base?.id ?? null }),
      encodeHolderMessage({
        k: "want",
        bits: packBits(list.entries.length, wanted),
        partial: [],
      }),
      encodeHolderMessage({ k: "end", unreached: [] }),
    );
    // The first hop signs for all it has at each visit, the later ones for what is new.
    const signed = list.entries.length + 1 + (HOLDERS - 1) * (added.length + 1);
    downBytes += signed * receiptBytes();
  }
  return { upBytes, downBytes };
}

function receiptBytes(): number {
  const { bytes, signature } = signReceipt(KEY, {
    ...{ mesh: MESH, owner: OWNER, set: SET, kind: "shard", sizeBytes: SHARD_BYTES, lockDays: 30 },
    store: idOf<StoreId>(sha256("store").subarray(0, 16)),
    id: idOf(sha256("one")),
  });
  return encodeHolderMessage({ k: "receipt", receipts: [{ bytes, signature }] }).length;
}

export interface AuditTraffic {
  /** What one asker sends to one holder, and gets. */
  readonly askedBytes: number;
  readonly answeredBytes: number;
  /** Bytes that the holder reads from its own disk for it. */
  readonly readBytes: number;
}

/** What one asker asks one holder in a day. @param rounds - In which each shard is asked whole. */
export function auditRound(lists: readonly LoadedList[], rounds: number): readonly AuditItem[] {
  let draws = 0;
  const draw = (limit: number): number => {
    return Buffer.from(sha256(`draw ${draws++}`)).readUIntBE(0, 6) % limit;
  };
  const claimed = lists.map(({ header: { group, bytes } }) => ({ group, bytes }));
  const leaves = spreadLeaves(claimed, LEAVES_IN_ROUND, draw);
  return lists.flatMap(({ header: { group }, entries }) => [
    ...chooseLeaves(group, entries, leaves.get(group) ?? 0, draw),
    ...wholesInTurn(group, entries, 1, rounds),
  ]);
}

export function auditTraffic(items: readonly AuditItem[]): AuditTraffic {
  const single = items.filter(({ leaf }) => leaf !== null);
  const whole = items.filter(({ leaf }) => leaf === null);
  const of = { v: 1, owner: OWNER, set: SET } as const;
  const path = Array.from({ length: Math.log2(SHARD_BYTES / LEAF_BYTES) }, () => idBytes(MESH));
  let askedBytes = 0;
  let answeredBytes = 0;
  for (const part of parts(single, MAX_LEAVES_ASKED)) {
    const asked = part.map(({ shard, leaf }) => ({ shard, leaf: leaf ?? 0 }));
    askedBytes += framed(encodeAuditQuestion({ k: "leaves", ...of, items: asked }));
    const answer = part.map(() => ({ bytes: new Uint8Array(LEAF_BYTES), path }));
    answeredBytes += framed(encodeAuditAnswer({ k: "leaves", items: answer }));
  }
  for (const part of parts(whole, MAX_WHOLES_ASKED)) {
    const shards = part.map(({ shard }) => shard);
    const nonce = new Uint8Array(NONCE_BYTES);
    askedBytes += framed(encodeAuditQuestion({ k: "whole", ...of, nonce, shards }));
    answeredBytes += framed(
      encodeAuditAnswer({ k: "whole", macs: part.map(() => new Uint8Array(32)) }),
    );
  }
  return { askedBytes, answeredBytes, readBytes: items.length * SHARD_BYTES };
}

/** What goes over the lines for each shard that a new holder fetches. */
export function repairBytesOfShard(): number {
  const shard = idOf<never>(sha256("one"));
  const roots = new Uint8Array(MAX_ROOTS_BYTES);
  return (
    framed(
      encodeOpenerMessage({
        k: "get",
        v: 1,
        owner: OWNER,
        set: SET,
        shard,
        from: 0,
        why: "repair",
      }),
      encodeHolderMessage({ k: "found", sizeBytes: SHARD_BYTES, roots }),
    ) +
    SHARD_BYTES +
    Math.ceil(SHARD_BYTES / RAW_FRAME_BYTES) * FRAME_HEAD_BYTES
  );
}

function parts<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_none, at) =>
    items.slice(at * size, (at + 1) * size),
  );
}
