/**
 * Decides whether a Yjs update may touch the document of its log, and reads what it says.
 *
 * With one writer to a document this is a complete check: only the log's own client, its clock
 * without gaps, every item an entry of the one flat map, each key at most once, and only what is
 * replaced is deleted. Of all byte strings that say the same, only the one that Yjs itself writes
 * is taken. So what an update does is plain, and no Yjs is needed to see it: log-document.ts.
 */
import {
  isRecordKey,
  unpackVersion,
  type RecordVersion,
} from "../../../protocol/logs/record-version.ts";
import { UpdateReader } from "./update-reader.ts";

/** The one root of every document. */
export const ROOT = "r";
/** More than fit into 64 KiB of honest records. */
const MAX_STRUCTS = 5000;

/** What Yjs calls a value under a key. It sets the flag of the key also when the origin names it. */
const NEW_KEY = 0x28;
const SAME_KEY = 0xa8;
/** Set when an item names the one that it was put before. */
const HAS_RIGHT_ORIGIN = 0x40;
const TYPE_MASK = 0x1f;
const ANY_VALUE = 8;
/** What a parent that is a root is marked with. */
const IS_ROOT = 1;

export type AdmissionRefusal =
  | "decode"
  | "structs"
  | "foreign-client"
  | "clock"
  | "content"
  | "dependency"
  | "parent"
  | "foreign-delete"
  | "delete-unknown";

/** One value that an update sets: under a new key, or under that of the item that it replaces. */
export interface AdmittedItem {
  readonly version: RecordVersion;
  readonly at: { readonly key: string } | { readonly replaces: number };
}

export interface Admission {
  /** The writer's clock after the update. */
  readonly clockAfter: number;
  /** The first has the clock before the update, each further one the next. */
  readonly items: readonly AdmittedItem[];
}

/**
 * @param clientId - The only client that the document has.
 * @param clock - How many items the document has of it.
 */
export function admitUpdate(
  update: Uint8Array,
  clientId: number,
  clock: number,
): Admission | AdmissionRefusal {
  const reader = new UpdateReader(update);
  try {
    const items = readItems(reader, clientId, clock);
    if (typeof items === "string") return items;
    const replaced = items.flatMap(({ at }) => ("replaces" in at ? [at.replaces] : []));
    const refusal = checkDeleted(reader, clientId, replaced);
    if (refusal !== undefined) return refusal;
    return reader.isAtEnd ? { clockAfter: clock + items.length, items } : "decode";
  } catch (error) {
    // RangeError of the reader, TypeError for bytes that are not UTF-8.
    if (error instanceof RangeError || error instanceof TypeError) return "decode";
    throw error;
  }
}

function readItems(
  reader: UpdateReader,
  clientId: number,
  clock: number,
): AdmittedItem[] | AdmissionRefusal {
  const clients = reader.count();
  if (clients === 0) return [];
  if (clients > 1) return "foreign-client";
  const length = reader.count();
  if (length === 0) return "decode";
  if (length > MAX_STRUCTS) return "structs";
  if (reader.count() !== clientId) return "foreign-client";
  if (reader.count() !== clock) return "clock";
  const items: AdmittedItem[] = [];
  for (let i = 0; i < length; i++) {
    const item = readItem(reader, clientId, clock);
    if (typeof item === "string") return item;
    items.push(item);
  }
  return items;
}

/** @param clock - How many items there were before the update. */
function readItem(
  reader: UpdateReader,
  clientId: number,
  clock: number,
): AdmittedItem | AdmissionRefusal {
  const info = reader.byte();
  if (info !== NEW_KEY && info !== SAME_KEY) {
    if ((info & TYPE_MASK) !== ANY_VALUE) return "content";
    return (info & HAS_RIGHT_ORIGIN) === 0 ? "parent" : "dependency";
  }
  const at = info === NEW_KEY ? readKey(reader) : readOrigin(reader, clientId, clock);
  if (typeof at === "string") return at;
  if (reader.count() !== 1) return "content";
  const version = unpackVersion(reader.any());
  return version === undefined ? "content" : { version, at };
}

function readKey(reader: UpdateReader): { key: string } | AdmissionRefusal {
  if (reader.count() !== IS_ROOT || reader.text() !== ROOT) return "parent";
  const key = reader.text();
  return isRecordKey(key) ? { key } : "parent";
}

function readOrigin(
  reader: UpdateReader,
  clientId: number,
  clock: number,
): { replaces: number } | AdmissionRefusal {
  if (reader.count() !== clientId) return "dependency";
  const replaces = reader.count();
  return replaces < clock ? { replaces } : "dependency";
}

/** A transaction of Yjs deletes what it replaces, and tells so in ranges that do not touch. */
function checkDeleted(
  reader: UpdateReader,
  clientId: number,
  replaced: readonly number[],
): AdmissionRefusal | undefined {
  const clients = reader.count();
  if (clients === 0) return replaced.length === 0 ? undefined : "delete-unknown";
  if (clients > 1 || reader.count() !== clientId) return "foreign-delete";
  const expected = replaced.toSorted((a, b) => a - b);
  let known = 0;
  let end = -1;
  for (let ranges = reader.count(); ranges > 0; ranges--) {
    const start = reader.count();
    const length = reader.count();
    if (start <= end || length === 0 || length > expected.length - known) return "delete-unknown";
    end = start + length;
    for (let clock = start; clock < end; clock++) {
      if (expected[known++] !== clock) return "delete-unknown";
    }
  }
  return known > 0 && known === expected.length ? undefined : "delete-unknown";
}
