/**
 * The head of a data set: which snapshot is its newest.
 *
 * It stands in the signed lists and in the `place` record of its owner's site, so every holder
 * and every member is a witness of it.
 */
import * as z from "zod";
import { parseId, type AnyId, type ChainId, type ShardId } from "./ids.ts";

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

/** An identifier as hexadecimal text or as bytes; the outcome is always text. */
export function idField<Id extends AnyId>(sizeBytes: 16 | 32): z.ZodType<Id> {
  return z.unknown().transform((value, context): Id => {
    const id = parseId<Id>(value, sizeBytes);
    if (id !== undefined) return id;
    context.addIssue({ code: "custom", message: `not an identifier of ${sizeBytes} bytes` });
    return z.NEVER;
  });
}

/** A count that JavaScript can hold exactly. */
export const countField = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Takes a head from CBOR (identifiers as bytes) and from JSON (as text). */
export const headField: z.ZodType<Head> = z.strictObject({
  chain: idField<ChainId>(16),
  number: countField.min(1),
  previous: z.union([z.null(), idField<ShardId>(32)]),
  root: idField<ShardId>(32),
  atMs: countField,
});

/** Whether `next` may follow `current`: the next one of its chain, or the first of a new chain. */
export function mayFollow(current: Head | null, next: Head): boolean {
  if (current !== null && current.chain === next.chain) {
    return next.number === current.number + 1 && next.previous === current.root;
  }
  return next.number === 1;
}
