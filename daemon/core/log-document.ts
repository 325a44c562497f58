/**
 * The document that one log produces: entries go in, records come out.
 *
 * After a refusal the document may be half changed, because Yjs does not apply atomically. Its
 * holder then throws it away and builds it anew from the entries that it had accepted.
 */
import { applyUpdate, Doc, type YMapEvent } from "yjs";
import {
  MAX_LIVE_BYTES,
  MAX_LIVE_RECORDS,
  MAX_UPDATES_SINCE_SNAPSHOT,
  MAX_UPDATE_BYTES_SINCE_SNAPSHOT,
  recordCost,
} from "../../protocol/document-limits.ts";
import { clientIdOf, type Envelope } from "../../protocol/envelope.ts";
import { encodeJson, type JsonValue } from "../../protocol/json-value.ts";
import type { VersionId } from "../../protocol/ids.ts";
import { unpackVersion, versionId, type RecordVersion } from "../../protocol/record-version.ts";
import { admitUpdate, ROOT, type AdmissionRefusal } from "./admission.ts";

export type DocumentRefusal = AdmissionRefusal | "limit" | "apply";

/** One version as it stands in a document. */
export interface StoredVersion extends RecordVersion {
  readonly id: VersionId;
  /** The entry that brought it; the snapshot's, when a snapshot carried it over. */
  readonly seq: number;
  /** What it counts against the limits of the document. */
  readonly costBytes: number;
}

export class LogDocument {
  readonly records: ReadonlyMap<string, StoredVersion>;
  readonly #records = new Map<string, StoredVersion>();
  readonly #doc = new Doc();
  readonly #clientId: number;
  #clock = 0;
  #liveBytes = 0;
  #updates = 0;
  #updateBytes = 0;

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
    return this.#clock;
  }

  /** Sum of what the records count. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Payload bytes of the updates since the snapshot. */
  get updateBytes(): number {
    return this.#updateBytes;
  }

  /** Number of updates since the snapshot. */
  get updates(): number {
    return this.#updates;
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
    const admission = admitUpdate(payload, this.#clientId, this.#clock);
    if (typeof admission === "string") return admission;
    if (header.clockBefore !== this.#clock || header.clockAfter !== admission.clockAfter) {
      return "clock";
    }
    const changed = new Set<string>();
    const map = this.#doc.getMap<JsonValue>(ROOT);
    const observe = (event: YMapEvent<JsonValue>): void => {
      for (const key of event.keysChanged) changed.add(String(key));
    };
    map.observe(observe);
    try {
      applyUpdate(this.#doc, payload);
    } catch {
      return "apply";
    } finally {
      map.unobserve(observe);
    }
    const { pendingStructs, pendingDs } = this.#doc.store;
    if (pendingStructs !== null || pendingDs !== null) return "apply";
    this.#clock = admission.clockAfter;
    for (const key of changed) {
      const refusal = this.#takeUp(key, map.get(key), envelope);
      if (refusal !== undefined) return refusal;
    }
    const full = this.#records.size > MAX_LIVE_RECORDS || this.#liveBytes > MAX_LIVE_BYTES;
    return full ? "limit" : undefined;
  }

  #takeUp(key: string, packed: JsonValue | undefined, from: Envelope): DocumentRefusal | undefined {
    this.#liveBytes -= this.#records.get(key)?.costBytes ?? 0;
    this.#records.delete(key);
    if (packed === undefined) return undefined;
    const version = unpackVersion(packed);
    if (version === undefined || version.lamport > from.header.lamport) return "content";
    const { author, class: recordClass, seq } = from.header;
    const costBytes = versionCost(key, packed);
    this.#liveBytes += costBytes;
    const id = versionId(author, recordClass, key, version);
    this.#records.set(key, { ...version, id, seq, costBytes });
    return undefined;
  }
}

/** What a version counts against the limits of a document. */
export function versionCost(key: string, packed: JsonValue): number {
  return recordCost(Buffer.byteLength(key), encodeJson(packed).length);
}
