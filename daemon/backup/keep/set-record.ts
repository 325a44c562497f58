/** What a holder remembers of a data set besides its lists: the lock, sizes, what a person said. */
import { z } from "zod";
import { prefixRange, type Store, type StoreChange } from "../../core/store.ts";
import { MAX_PEAKS } from "../../core/backup/shrinking.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/encoding/cbor.ts";
import { parseId, type OwnerId, type SetId, type StatementId } from "../../../protocol/ids.ts";
import { countField, idField } from "../../../protocol/encoding/wire-field.ts";
import type { SetName } from "./ports.ts";

const PREFIX = "backup/keep/set/";
const STRAY = "backup/keep/stray/";
const MAX_STORED_BYTES = 16 * 1024;

const setRecord = z.strictObject({
  v: z.literal(1),
  /** Null until an owner's word about the lock was seen. */
  term: z
    .strictObject({
      days: countField(0),
      pending: z.strictObject({ days: countField(0), sinceMs: countField(0) }).nullable(),
    })
    .nullable(),
  peaks: z.array(z.strictObject({ atMs: countField(0), bytes: countField(0) })).max(MAX_PEAKS),
  /** What a person was asked and has not agreed to yet. */
  asked: z
    .strictObject({ sinceMs: countField(0), fromBytes: countField(0), toBytes: countField(0) })
    .nullable(),
  /** Running time at which sizes were last compared: what came into the trash since must wait. */
  judgedMs: countField(0),
  /** Running time at which a person last agreed; 0 for never. */
  agreedMs: countField(0),
  /** A person has said that nobody needs to be asked about this set. */
  isNeverAsked: z.boolean(),
  /** The DELEGATE with a shorter lock to which a person here has objected. */
  objectedTo: idField<StatementId>().nullable(),
});
export type SetRecord = z.output<typeof setRecord>;

export const NEW_RECORD: SetRecord = {
  ...{ v: 1, term: null, peaks: [], asked: null, judgedMs: 0, agreedMs: 0 },
  ...{ isNeverAsked: false, objectedTo: null },
};

/** @throws when a record is damaged: what is held by a person's word would be let go. */
export async function readSetRecords(store: Store): Promise<Map<string, SetRecord>> {
  const found = new Map<string, SetRecord>();
  for await (const [key, value] of store.entries(prefixRange(PREFIX))) {
    const raw = decodeCbor(value, MAX_STORED_BYTES) as z.input<typeof setRecord>;
    found.set(key.slice(PREFIX.length), z.decode(setRecord, raw));
  }
  return found;
}

export function setRecordChange(of: SetName, record: SetRecord): StoreChange {
  const value = encodeCbor(z.encode(setRecord, record));
  return { kind: "put", key: PREFIX + keyOf(of), value };
}

export function keyOf({ owner, set }: SetName): string {
  return `${owner}/${set}`;
}

export function nameIn(key: string): SetName | undefined {
  const [owner, set] = key.split("/");
  const name = { owner: parseId<OwnerId>(owner), set: parseId<SetId>(set, 16) };
  return name.owner === undefined || name.set === undefined
    ? undefined
    : { owner: name.owner, set: name.set };
}

/** Shards that no list names or has named, and the running time at which each was first seen. */
export async function readStrays(store: Store, of: SetName): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const prefix = `${STRAY}${keyOf(of)}/`;
  for await (const [key, value] of store.entries(prefixRange(prefix))) {
    const sinceMs = Number(Buffer.from(value).toString("latin1"));
    if (Number.isSafeInteger(sinceMs)) found.set(key.slice(prefix.length), sinceMs);
  }
  return found;
}

/** @param sinceMs - Undefined: it is no stray any more. */
export function strayChange(of: SetName, shard: string, sinceMs: number | undefined): StoreChange {
  const key = `${STRAY}${keyOf(of)}/${shard}`;
  if (sinceMs === undefined) return { kind: "delete", key };
  return { kind: "put", key, value: Buffer.from(String(sinceMs), "latin1") };
}
