/**
 * Decides whether a Yjs update may touch the document of its log.
 *
 * With one writer to a document this is a complete check: only the log's own client, its clock
 * without gaps, every item an entry of the one flat map, no deletion of anything unknown. What it
 * lets through cannot wait for anything, throw later or grow recursion.
 */
import { ContentAny, decodeUpdate, Item, type GC, type Skip } from "yjs";
import { isRecordKey, unpackVersion } from "../../protocol/record-version.ts";
import { areMerged, encodeUpdate, type ClockRange, type RecordItem } from "./canonical-update.ts";

/** The one root of every document. */
export const ROOT = "r";
/** More than fit into 64 KiB of honest records. */
const MAX_STRUCTS = 5000;

export type AdmissionRefusal =
  | "decode"
  | "structs"
  | "foreign-client"
  | "clock"
  | "content"
  | "dependency"
  | "parent"
  | "foreign-delete"
  | "delete-unknown"
  | "canonical";

export interface Admission {
  /** The writer's clock after the update. */
  readonly clockAfter: number;
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
  let decoded: ReturnType<typeof decodeUpdate>;
  try {
    decoded = decodeUpdate(update);
  } catch {
    return "decode";
  }
  if (decoded.structs.length > MAX_STRUCTS) return "structs";
  let next = clock;
  const items: RecordItem[] = [];
  for (const struct of decoded.structs) {
    if (struct.id.client !== clientId) return "foreign-client";
    if (struct.id.clock !== next) return "clock";
    const item = checkItem(struct, clientId, next);
    if (typeof item === "string") return item;
    items.push(item);
    next += 1;
  }
  const deleted: ClockRange[] = [];
  for (const [client, ranges] of decoded.ds.clients) {
    if (client !== clientId) return "foreign-delete";
    for (const range of ranges) {
      if (!(range.len > 0) || !(range.clock >= 0) || range.clock + range.len > next) {
        return "delete-unknown";
      }
      deleted.push(range);
    }
  }
  const canonical = areMerged(deleted) && encodeUpdate(clientId, items, deleted, ROOT);
  if (canonical === false || Buffer.compare(canonical, update) !== 0) return "canonical";
  return { clockAfter: next };
}

/** Overwriting names the item before it as origin; a new key names the root and the key. */
function checkItem(
  struct: Item | GC | Skip,
  clientId: number,
  next: number,
): RecordItem | AdmissionRefusal {
  if (!(struct instanceof Item) || struct.length !== 1) return "content";
  const { content, origin, rightOrigin } = struct;
  if (!(content instanceof ContentAny) || content.arr.length !== 1) return "content";
  if (unpackVersion(content.arr[0]) === undefined) return "content";
  if (rightOrigin !== null) return "dependency";
  if (origin !== null) {
    const known = origin.client === clientId && origin.clock < next;
    return known ? (struct as RecordItem) : "dependency";
  }
  const parent: unknown = struct.parent;
  if (parent !== ROOT) return "parent";
  const isRecord = struct.parentSub !== null && isRecordKey(struct.parentSub);
  return isRecord ? (struct as RecordItem) : "parent";
}
