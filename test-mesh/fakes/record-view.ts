/** A view over records that a test writes down, without statements and logs. */
import type { View, ViewEntry } from "../../daemon/core/logs/view.ts";
import { idOf, sha256, type LogId, type SiteId, type VersionId } from "../../protocol/ids.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import type { RecordClass } from "../../protocol/logs/record-class.ts";

export class RecordView implements View {
  readonly hash = "";
  readonly #records = new Map<string, ViewEntry>();

  /** Undefined takes the record away. */
  put(author: SiteId, recordClass: RecordClass, key: string, value: JsonValue | undefined): void {
    const name = `${recordClass}/${author}/${key}`;
    if (value === undefined) this.#records.delete(name);
    else this.#records.set(name, { ...entryOf(author), class: recordClass, key, value });
  }

  conflicts(): [] {
    return [];
  }

  entries(recordClass: RecordClass, keyPrefix = ""): ViewEntry[] {
    return [...this.#records.values()].filter(
      (entry) => entry.class === recordClass && entry.key.startsWith(keyPrefix),
    );
  }

  get(recordClass: RecordClass, key: string, author?: SiteId): ViewEntry | undefined {
    return this.entries(recordClass).find(
      (entry) => entry.key === key && (author === undefined || entry.author === author),
    );
  }
}

function entryOf(author: SiteId) {
  return {
    author,
    ...{ lamport: 1, seq: 1, conflicts: [] },
    versionId: idOf<VersionId>(sha256("version")),
    log: idOf<LogId>(sha256("log").subarray(0, 16)),
  };
}
