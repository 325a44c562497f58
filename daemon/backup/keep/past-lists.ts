/**
 * What a holder remembers of lists that newer ones have replaced: which entries the next one left
 * out, and the signed header where it says something that the next one does not.
 *
 * Two things rest on it. When a shard was last named decides when it may go. And whoever writes
 * new lists in an owner's name cannot make a holder forget the head of the last honest one: a box
 * that recovers is shown every head whose shards are still kept.
 */
import { z } from "zod";
import { prefixRange, type Store, type StoreChange } from "../../core/store.ts";
import type { ListChange } from "../../core/authority/departures.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/encoding/cbor.ts";
import {
  LIST_ENTRY_BYTES,
  MAX_LIST_ENTRIES,
  packEntries,
  unpackEntries,
  type ListEntry,
  type ListHeader,
  type SignedList,
} from "../../../protocol/backup/list.ts";
import { countField } from "../../../protocol/encoding/wire-field.ts";

const PREFIX = "backup/list/past/";
/** Every entry left out, and the header. */
const MAX_STORED_BYTES = MAX_LIST_ENTRIES * LIST_ENTRY_BYTES + 8192;

const stored = z.strictObject({
  v: z.literal(1),
  atMs: countField(0),
  count: countField(1),
  header: z.instanceof(Uint8Array),
  signature: z.instanceof(Uint8Array),
  left: z.instanceof(Uint8Array),
});

/** A list that was replaced. */
export interface PastList extends ListChange {
  readonly signed: Omit<SignedList, "entries">;
  /** What it takes on disk, in bytes. */
  readonly storedBytes: number;
}

interface Named {
  readonly header: ListHeader;
  readonly signed: SignedList;
  readonly entries: readonly ListEntry[];
}

/**
 * What to write down when `next` takes the place of `before`.
 *
 * @param count - The number of `before`, as this holder counts the lists of the group.
 * @returns undefined when there is nothing to remember.
 */
export function givenWay(
  before: Named,
  next: Named,
  count: number,
  atMs: number,
): PastList | undefined {
  const named = new Set(next.entries.map(({ shard }) => shard));
  const left = before.entries.filter(({ shard }) => !named.has(shard));
  const isOtherHead =
    before.header.head?.root !== next.header.head?.root || before.header.by !== next.header.by;
  if (left.length === 0 && !isOtherHead) return undefined;
  const { header, signature } = before.signed;
  const past = { atMs, count, left, signed: { header, signature } };
  return { ...past, storedBytes: encode(past).length };
}

export function pastChange(group: string, past: PastList): StoreChange {
  return { kind: "put", key: keyOf(group, past.count), value: encode(past) };
}

export function forgetPast(group: string, past: PastList): StoreChange {
  return { kind: "delete", key: keyOf(group, past.count) };
}

/**
 * The replaced lists of a group, oldest first.
 *
 * @throws when one cannot be read: what it left out would be unknown.
 */
export async function readPast(store: Store, group: string): Promise<PastList[]> {
  const found: PastList[] = [];
  for await (const [, value] of store.entries(prefixRange(`${PREFIX}${group}/`))) {
    const { atMs, count, header, signature, left } = stored.parse(
      decodeCbor(value, MAX_STORED_BYTES),
    );
    found.push({
      ...{ atMs, count, signed: { header, signature } },
      left: unpackEntries(left),
      storedBytes: value.length,
    });
  }
  return found;
}

/** The group of each replaced list that is remembered, and what it takes, in bytes. */
export async function* pastSizes(store: Store): AsyncGenerator<[group: string, sizeBytes: number]> {
  for await (const [key, value] of store.entries(prefixRange(PREFIX))) {
    yield [key.slice(PREFIX.length, key.lastIndexOf("/")), value.length];
  }
}

function encode({ atMs, count, signed, left }: Omit<PastList, "storedBytes">): Uint8Array {
  return encodeCbor({
    v: 1,
    atMs,
    count,
    header: signed.header,
    signature: signed.signature,
    left: packEntries(left),
  });
}

/** Numbers in twelve digits sort as they count. */
function keyOf(group: string, count: number): string {
  return `${PREFIX}${group}/${String(count).padStart(12, "0")}`;
}
