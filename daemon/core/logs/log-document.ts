/**
 * The document that one log produces: entries go in, records come out.
 *
 * It is the map that Yjs would make of the same updates, without its structures: admission.ts
 * leaves nothing for which these would be needed, and they take several times the room and the
 * time. After a refusal the document may be half changed. Its holder then throws it away and builds
 * it anew from the entries that it had accepted.
 */
import {
  MAX_LIVE_BYTES,
  MAX_LIVE_RECORDS,
  MAX_UPDATES_SINCE_SNAPSHOT,
  MAX_UPDATE_BYTES_SINCE_SNAPSHOT,
  recordCost,
} from "../../../protocol/logs/document-limits.ts";
import { clientIdOf, type Envelope } from "../../../protocol/logs/envelope.ts";
import type { VersionId } from "../../../protocol/ids.ts";
import {
  encodeVersion,
  namedVersion,
  type RecordVersion,
} from "../../../protocol/logs/record-version.ts";
import { admitUpdate, type AdmissionRefusal, type AdmittedItem } from "./admission.ts";
import { memoryOfRecord } from "./value-memory.ts";

export type DocumentRefusal = AdmissionRefusal | "limit";

/** One version as it stands in a document. */
export interface StoredVersion extends RecordVersion {
  readonly id: VersionId;
  /** The entry that brought it; the snapshot's, when a snapshot carried it over. */
  readonly seq: number;
  /** What it counts against the limits of the document. */
  readonly costBytes: number;
}

/** What an item takes once another has replaced it: arrays grow by half at a time. */
const KEY_SLOT_BYTES = 12;

export class LogDocument {
  readonly records: ReadonlyMap<string, StoredVersion>;
  readonly #records = new Map<string, StoredVersion>();
  /** The key of each item by its clock; undefined once another item has replaced it. */
  readonly #keys: (string | undefined)[] = [];
  readonly #clientId: number;
  #liveBytes = 0;
  #updates = 0;
  #updateBytes = 0;
  #recordMemory = 0;

  private constructor(clientId: number) {
    this.records = this.#records;
    this.#clientId = clientId;
  }

  /** The document that starts at a snapshot, or why there is none. */
  static start(snapshot: Envelope): LogDocument | DocumentRefusal {
    const { seq } = snapshot.header;
    const document = new LogDocument(clientIdOf(snapshot.log, seq));
    const refusal = document.#admit(snapshot);
    return refusal ?? document;
  }

  get clock(): number {
    return this.#keys.length;
  }

  /** Sum of what the records count. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** What it takes in memory, about. */
  get memoryBytes(): number {
    return this.#recordMemory + this.#keys.length * KEY_SLOT_BYTES;
  }

  /** Payload bytes of the updates since the snapshot. */
  get updateBytes(): number {
    return this.#updateBytes;
  }

  /** Number of updates since the snapshot. */
  get updates(): number {
    return this.#updates;
  }

  /** The keys of the last `count` items: those that an update has set. */
  lastKeys(count: number): readonly string[] {
    return this.#keys.slice(-count).flatMap((key) => key ?? []);
  }

  /** Applies the next update of the log. After a refusal this document must not be used again. */
  apply(update: Envelope): DocumentRefusal | undefined {
    this.#updates += 1;
    this.#updateBytes += update.payload.length;
    if (
      this.#updates > MAX_UPDATES_SINCE_SNAPSHOT ||
      this.#updateBytes > MAX_UPDATE_BYTES_SINCE_SNAPSHOT
    ) {
      return "limit";
    }
    return this.#admit(update);
  }

  #admit(envelope: Envelope): DocumentRefusal | undefined {
    const { header, payload } = envelope;
    const admission = admitUpdate(payload, this.#clientId, this.clock);
    if (typeof admission === "string") return admission;
    if (header.clockBefore !== this.clock || header.clockAfter !== admission.clockAfter) {
      return "clock";
    }
    for (const item of admission.items) {
      const refusal = this.#takeUp(item, envelope);
      if (refusal !== undefined) return refusal;
    }
    const full = this.#records.size > MAX_LIVE_RECORDS || this.#liveBytes > MAX_LIVE_BYTES;
    return full ? "limit" : undefined;
  }

  #takeUp({ at, version }: AdmittedItem, from: Envelope): DocumentRefusal | undefined {
    const { author, class: recordClass, seq, lamport } = from.header;
    if (version.lamport > lamport) return "content";
    const key = "key" in at ? at.key : this.#keys[at.replaces];
    // Only the newest item of a key can be replaced, and only a key without one be new: so the
    // last item of a key is its value, as in Yjs.
    if (key === undefined) return "dependency";
    const before = this.#records.get(key);
    if ("key" in at ? before !== undefined : before === undefined) return "dependency";
    if ("replaces" in at) this.#keys[at.replaces] = undefined;
    this.#keys.push(key);
    const encoded = encodeVersion(version);
    const costBytes = recordCost(Buffer.byteLength(key), encoded.length);
    this.#liveBytes += costBytes - (before?.costBytes ?? 0);
    this.#recordMemory += memoryOfRecord(key, version);
    if (before !== undefined) this.#recordMemory -= memoryOfRecord(key, before);
    const { value, supersedes } = version;
    const id = namedVersion(author, recordClass, key, encoded);
    const stored = { lamport: version.lamport, supersedes, value, id, seq, costBytes };
    this.#records.set(key, stored);
    return undefined;
  }
}

/** What a version counts against the limits of a document. */
export function versionCost(key: string, version: RecordVersion): number {
  return recordCost(Buffer.byteLength(key), encodeVersion(version).length);
}
