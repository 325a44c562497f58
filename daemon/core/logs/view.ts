/**
 * The shape of the merged picture: what all features read.
 *
 * It is built by merge.ts, a pure function of the statements and entries that a node holds.
 */
import type { LogId, SiteId, VersionId } from "../../../protocol/ids.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import type { RecordClass } from "../../../protocol/logs/record-class.ts";

/** One version that no other has replaced. */
export interface StandingVersion {
  readonly author: SiteId;
  /** Undefined: this version deletes the record. */
  readonly value: JsonValue | undefined;
  readonly versionId: VersionId;
  /** The entry that brought it. */
  readonly log: LogId;
  readonly seq: number;
}

/** A record that was changed at two places at once: several versions stand. */
export interface ConflictedRecord {
  readonly class: RecordClass;
  readonly key: string;
  /** Two or more. The first is shown; when it deletes the record, the record is not. */
  readonly versions: readonly StandingVersion[];
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
  /** The other versions that stand: two sites wrote without having seen one another. */
  readonly conflicts: readonly StandingVersion[];
}

export interface View {
  /** The records of a class, sorted by key, then author; with a prefix, those below it. */
  entries(recordClass: RecordClass, keyPrefix?: string): readonly ViewEntry[];
  /**
   * One record. In a class where each site has its own keys the author has to be given; the
   * first by author is returned without.
   */
  get(recordClass: RecordClass, key: string, author?: SiteId): ViewEntry | undefined;
  /** The records of a class of which several versions stand, sorted by key, then author. */
  conflicts(recordClass: RecordClass): readonly ConflictedRecord[];
  /** Hexadecimal SHA-256 over everything shown: equal on nodes that hold the same. */
  readonly hash: string;
}
