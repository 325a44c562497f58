/**
 * The head of a data set: which snapshot is its newest.
 *
 * It stands in the signed lists and in the `place` record of its owner's site, so every holder
 * and every member is a witness of it.
 */
import { z } from "zod";
import type { ChainId, ShardId } from "../ids.ts";
import { countField, idField } from "../encoding/wire-field.ts";

export interface Head {
  /** Random, and new after a recovery, a rollback or a lost head. */
  readonly chain: ChainId;
  /** 1 for the first snapshot of a chain, then one more each time. */
  readonly number: number;
  /** Root of the snapshot before this one; null for the first of a chain. */
  readonly previous: ShardId | null;
  /** The shard that holds the snapshot record. */
  readonly root: ShardId;
  /** Wall time of the site when the run ended, milliseconds since 1970: for display only. */
  readonly atMs: number;
}

/** The head in signed lists: identifiers as bytes on the wire. In records it is JSON. */
export const headField = z.strictObject({
  chain: idField<ChainId>(16),
  number: countField(1),
  previous: idField<ShardId>().nullable(),
  root: idField<ShardId>(),
  atMs: countField(0),
});

/** Whether `next` may follow `current`: the next one of its chain, or the first of a new chain. */
export function mayFollow(current: Head | null, next: Head): boolean {
  if (current !== null && current.chain === next.chain) {
    return next.number === current.number + 1 && next.previous === current.root;
  }
  return next.number === 1 && next.previous === null;
}

/**
 * The place after a head in its chain. Undefined where no number is left, as in a chain that somebody
 * made up: then a new chain begins.
 */
export function placeAfter({
  chain,
  number,
  root,
}: Head): Pick<Head, "chain" | "number" | "previous"> | undefined {
  if (number >= Number.MAX_SAFE_INTEGER) return undefined;
  return { chain, number: number + 1, previous: root };
}
