/**
 * How far this node durably has each log, and the digests over that.
 */
import type { CountedLog } from "../core/logs/counted-log.ts";
import { encodeCbor } from "../../protocol/encoding/cbor.ts";
import { idBytes, sha256, toHex, type LogId } from "../../protocol/ids.ts";
import { CLASS_GROUPS, groupOf, type ClassGroup } from "../../protocol/logs/record-class.ts";
import { BUCKETS_PER_CLASS } from "../../protocol/messages/sync-message.ts";
import type { LineageName } from "./held-log.ts";
import type { LogPosition } from "./replica.ts";
import type { Shelf } from "./shelf.ts";

/** A position with what else is told of a log. */
export interface Position extends LogPosition, CountedLog {}

export class Positions {
  readonly #byLog = new Map<LogId, Position>();
  readonly #byLineage = new Map<LineageName, readonly LogId[]>();
  readonly #digests = new Map<ClassGroup, readonly string[]>();
  #stateDigest: string | undefined;

  /** Puts the logs of a lineage that count in the place of those that did. */
  set(lineage: LineageName, positions: readonly Position[]): void {
    for (const log of this.#byLineage.get(lineage) ?? []) {
      const before = this.#byLog.get(log);
      if (before !== undefined) this.#forget(groupOf(before.class));
      this.#byLog.delete(log);
    }
    for (const position of positions) {
      this.#byLog.set(position.log, position);
      this.#forget(groupOf(position.class));
    }
    const logs = positions.map(({ log }) => log);
    if (logs.length > 0) this.#byLineage.set(lineage, logs);
    else this.#byLineage.delete(lineage);
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

  /**
   * One hexadecimal hash a bucket, over (log, seq, head) in the order of logs. Where statements name
   * places, those that can be shown belong to it: some nodes may have pruned what leads up to them.
   */
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
        .map(({ log, seq, head, shows = [] }) => {
          const place = [idBytes(log), seq, idBytes(head)];
          return shows.length === 0 ? place : [...place, [...shows]];
        });
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

/** How far the logs of a lineage count on the shelf. */
export function positionsOf(shelf: Shelf, lineage: LineageName): Position[] {
  const counting = shelf.counting(lineage);
  const pinned = shelf
    .lineage(lineage)
    .filter((held) => held.pins.length > 0 && !shelf.counts(held))
    .map((held) => ({ held, takenUp: shelf.takenUp(held) }));
  return [...counting, ...pinned].flatMap(({ held, takenUp }) => {
    const { log, author, part, seq, head, unbrokenFrom: fromSeq } = held;
    if (head === undefined) return [];
    const past = held.snapshotBefore(seq)?.word.past ?? 0;
    const at = { class: held.class, log, author, part, seq, head, fromSeq };
    const shows = held.shownPins();
    const more = shows.length === 0 ? {} : { shows };
    return [{ ...at, ...more, takenUp: Math.min(takenUp.seq, seq), past }];
  });
}
