/**
 * What a holder remembers of lists that newer ones have replaced: each as the difference to its
 * successor, with its signed header where it says something that the successor does not.
 *
 * Two things rest on it. When a shard was last named follows from the differences. And whoever
 * writes new lists in an owner's name cannot make a holder forget the head of the last honest one:
 * going back from the newest list, every earlier one is made again and proven by its own header.
 */
import { z } from "zod";
import { prefixRange, type Store, type StoreChange } from "../../core/store.ts";
import type { ListChange } from "../../core/departures.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/cbor.ts";
import { idBytes, idOf, type ShardId } from "../../../protocol/ids.ts";
import {
  LIST_ENTRY_BYTES,
  MAX_LIST_ENTRIES,
  packEntries,
  unpackEntries,
  type ListEntry,
  type ListHeader,
  type SignedList,
} from "../../../protocol/list.ts";
import { countField } from "../../../protocol/wire-field.ts";

const PREFIX = "backup/list/past/";
const ID_BYTES = 32;
/** Every entry left out and as many new ones, and the header. */
const MAX_STORED_BYTES = MAX_LIST_ENTRIES * (LIST_ENTRY_BYTES + ID_BYTES) + 8192;

const stored = z.strictObject({
  v: z.literal(1),
  atMs: countField(0),
  count: countField(1),
  header: z.instanceof(Uint8Array).nullable(),
  signature: z.instanceof(Uint8Array).nullable(),
  left: z.instanceof(Uint8Array),
  joined: z.instanceof(Uint8Array),
});

/** A list that was replaced. */
export interface PastList extends ListChange {
  /** Null where the successor names all that it named, for the same head. */
  readonly signed: Omit<SignedList, "entries"> | null;
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
  const had = new Set(before.entries.map(({ shard }) => shard));
  const left = before.entries.filter(({ shard }) => !named.has(shard));
  const joined = [...named].filter((shard) => !had.has(shard));
  const isOtherHead =
    before.header.head?.root !== next.header.head?.root || before.header.by !== next.header.by;
  if (left.length + joined.length === 0 && !isOtherHead) return undefined;
  const { header, signature } = before.signed;
  const signed = left.length > 0 || isOtherHead ? { header, signature } : null;
  const past = { atMs, count, left, joined, signed };
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
    const { atMs, count, header, signature, left, joined } = stored.parse(
      decodeCbor(value, MAX_STORED_BYTES),
    );
    const signed = header === null || signature === null ? null : { header, signature };
    found.push({
      ...{ atMs, count, signed },
      left: unpackEntries(left),
      joined: unpackIds(joined),
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

/**
 * The lists of a group that were replaced, newest first, as far back as the differences lead.
 *
 * @param newest - Entries of the newest list.
 */
export function* earlierLists(
  past: readonly PastList[],
  newest: readonly ListEntry[],
): Generator<SignedList> {
  const sizes = new Map(newest.map(({ shard, sizeBytes }) => [shard, sizeBytes]));
  for (const { left, joined, signed } of past.toReversed()) {
    for (const shard of joined) sizes.delete(shard);
    for (const { shard, sizeBytes } of left) sizes.set(shard, sizeBytes);
    if (signed === null) continue;
    const entries = [...sizes].map(([shard, sizeBytes]) => ({ shard, sizeBytes }));
    yield { ...signed, entries: packEntries(entries) };
  }
}

function encode({ atMs, count, signed, left, joined }: Omit<PastList, "storedBytes">): Uint8Array {
  return encodeCbor({
    v: 1,
    atMs,
    count,
    header: signed?.header ?? null,
    signature: signed?.signature ?? null,
    left: packEntries(left),
    joined: Buffer.concat(joined.map(idBytes)),
  });
}

function unpackIds(packed: Uint8Array): ShardId[] {
  return Array.from({ length: Math.floor(packed.length / ID_BYTES) }, (_none, at) =>
    idOf<ShardId>(packed.subarray(at * ID_BYTES, (at + 1) * ID_BYTES)),
  );
}

/** Numbers in twelve digits sort as they count. */
function keyOf(group: string, count: number): string {
  return `${PREFIX}${group}/${String(count).padStart(12, "0")}`;
}
