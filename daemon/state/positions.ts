/**
 * How far this node durably has each log, and the digests over that.
 */
import { encodeCbor } from "../../protocol/cbor.ts";
import {
  idBytes,
  sha256,
  toHex,
  type EnvelopeId,
  type LogId,
  type SiteId,
} from "../../protocol/ids.ts";
import {
  CLASS_GROUPS,
  groupOf,
  type ClassGroup,
  type ClassName,
} from "../../protocol/record-class.ts";
import { BUCKETS_PER_CLASS } from "../../protocol/sync-message.ts";
import type { LogPosition } from "./replica.ts";

/** A log as others see it: `retired` when a later log has taken up all of it. */
export interface LogFact {
  readonly class: ClassName;
  readonly author: SiteId;
  readonly log: LogId;
  readonly seq: number;
  readonly head: EnvelopeId;
  readonly retired: boolean;
}

/** A position with the class that it belongs to. */
export interface Position extends LogPosition {
  readonly class: ClassName;
}

export class Positions {
  readonly #byLog = new Map<LogId, Position>();
  readonly #digests = new Map<ClassGroup, readonly string[]>();
  #stateDigest: string | undefined;

  set(position: Position): void {
    this.#byLog.set(position.log, position);
    this.#forget(groupOf(position.class));
  }

  remove(log: LogId, name: ClassName): void {
    this.#byLog.delete(log);
    this.#forget(groupOf(name));
  }

  get(log: LogId): Position | undefined {
    return this.#byLog.get(log);
  }

  all(): readonly Position[] {
    return [...this.#byLog.values()];
  }

  /** The logs of one bucket, sorted by id. */
  bucket(group: ClassGroup, bucket: number): readonly LogPosition[] {
    return [...this.#byLog.values()]
      .filter((each) => groupOf(each.class) === group && bucketOf(each.log) === bucket)
      .toSorted((a, b) => (a.log < b.log ? -1 : 1));
  }

  /** One hexadecimal hash a bucket, over (log, seq, head) in the order of logs. */
  classDigest(group: ClassGroup): readonly string[] {
    const known = this.#digests.get(group);
    if (known !== undefined) return known;
    const buckets = Array.from({ length: BUCKETS_PER_CLASS }, (): Position[] => []);
    for (const position of this.#byLog.values()) {
      if (groupOf(position.class) === group) buckets[bucketOf(position.log)]?.push(position);
    }
    const digest = buckets.map((bucket) => {
      const named = bucket
        .toSorted((a, b) => (a.log < b.log ? -1 : 1))
        .map(({ log, seq, head }) => [idBytes(log), seq, idBytes(head)]);
      return toHex(sha256("pleach/bucket/1\0", encodeCbor(named)));
    });
    this.#digests.set(group, digest);
    return digest;
  }

  stateDigest(): string {
    this.#stateDigest ??= toHex(
      sha256("pleach/state/1\0", ...CLASS_GROUPS.flatMap((each) => this.classDigest(each))),
    );
    return this.#stateDigest;
  }

  #forget(group: ClassGroup): void {
    this.#digests.delete(group);
    this.#stateDigest = undefined;
  }
}

function bucketOf(log: LogId): number {
  return Number.parseInt(log.slice(0, 1), 16) % BUCKETS_PER_CLASS;
}
