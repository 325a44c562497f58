/**
 * The shape of the merged picture: what all features read.
 *
 * It is built by merge.ts, a pure function of the statements and entries that a node holds.
 */
import type { LogId, SiteId, VersionId } from "../../protocol/ids.ts";
import type { JsonValue } from "../../protocol/json-value.ts";
import type { RecordClass } from "../../protocol/record-class.ts";

/** Another version that nothing has replaced, and that lost to the shown one. */
export interface Conflict {
  readonly author: SiteId;
  /** Undefined: this version deletes the record. */
  readonly value: JsonValue | undefined;
  readonly versionId: VersionId;
}

/** One record as it is shown. Its value is JSON by its author: check it before use. */
export interface ViewEntry {
  readonly class: RecordClass;
  readonly key: string;
  readonly author: SiteId;
  readonly value: JsonValue;
  readonly lamport: number;
  readonly versionId: VersionId;
  /** The entry that brought this version. */
  readonly log: LogId;
  readonly seq: number;
  /** Empty unless two sites wrote without having seen one another. */
  readonly conflicts: readonly Conflict[];
}

export interface View {
  /** The records of a class, sorted by key, then author; with a prefix, those below it. */
  entries(recordClass: RecordClass, keyPrefix?: string): readonly ViewEntry[];
  /**
   * One record. In a class where each site has its own keys the author has to be given; the
   * first by author is returned without.
   */
  get(recordClass: RecordClass, key: string, author?: SiteId): ViewEntry | undefined;
  /** Hexadecimal SHA-256 over everything shown: equal on nodes that hold the same. */
  readonly hash: string;
}
