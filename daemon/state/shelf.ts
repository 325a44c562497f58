/**
 * All logs that a node holds: which of them count, and what they say.
 *
 * Answers only from what was put on it; it reads and writes no store.
 */
import type { Candidate } from "../core/merge.ts";
import type { StoredVersion } from "../core/log-document.ts";
import type { Retirement } from "../../protocol/envelope.ts";
import type { LogId, SiteId } from "../../protocol/ids.ts";
import type { RecordClass } from "../../protocol/record-class.ts";
import type { HeldLog, Lineage } from "./held-log.ts";

/** Of more logs of one lineage that nothing has taken up, those with the lowest ids count. */
const MAX_LIVE_LOGS = 4;
/** Of more taken-up logs that went on, those with the lowest ids count. */
const MAX_TAILS = 16;

export class Shelf {
  readonly #logs = new Map<LogId, HeldLog>();
  readonly #lineages = new Map<Lineage, Map<LogId, HeldLog>>();
  /** Up to where a log was taken up by a later one of its lineage. */
  #retired = new Map<`${Lineage}|${LogId}`, Retirement>();

  get(log: LogId): HeldLog | undefined {
    return this.#logs.get(log);
  }

  all(): Iterable<HeldLog> {
    return this.#logs.values();
  }

  add(held: HeldLog): void {
    this.#logs.set(held.log, held);
    const row = this.#lineages.get(held.lineage) ?? new Map<LogId, HeldLog>();
    row.set(held.log, held);
    this.#lineages.set(held.lineage, row);
  }

  lineage(name: Lineage): readonly HeldLog[] {
    return [...(this.#lineages.get(name)?.values() ?? [])];
  }

  /** Takes note of what a log's newest snapshots take up. */
  noteRetirements(held: HeldLog): void {
    for (const retirement of held.retirements()) {
      const { log, seq } = retirement;
      const name: `${Lineage}|${LogId}` = `${held.lineage}|${log}`;
      if (log === held.log || seq <= (this.#retired.get(name)?.seq ?? 0)) continue;
      this.#retired.set(name, retirement);
      this.#dropIdleDocument(log);
    }
  }

  /** Starts over, after entries have ceased to count. */
  recountRetirements(): void {
    this.#retired = new Map();
    for (const held of this.#logs.values()) this.noteRetirements(held);
  }

  /** The last entry that another log has taken up; 0: none. */
  retiredSeq(held: HeldLog): number {
    return this.retirement(held)?.seq ?? 0;
  }

  /** Up to where another log of its lineage has taken it up, if one has. */
  retirement({ lineage, log }: Pick<HeldLog, "lineage" | "log">): Retirement | undefined {
    return this.#retired.get(`${lineage}|${log}`);
  }

  /** Whether its document says anything that no other log has taken up. */
  isLive(held: HeldLog): boolean {
    return held.seq > this.retiredSeq(held);
  }

  /**
   * The logs of a lineage that count in full, and those of which only the end does: it was
   * written after another log took up what came before.
   */
  counting(name: Lineage): {
    readonly live: readonly HeldLog[];
    readonly tails: readonly HeldLog[];
  } {
    const counting = this.lineage(name)
      .filter((held) => this.isLive(held))
      .toSorted((a, b) => (a.log < b.log ? -1 : 1));
    return {
      live: counting.filter((held) => this.retiredSeq(held) === 0).slice(0, MAX_LIVE_LOGS),
      tails: counting.filter((held) => this.retiredSeq(held) > 0).slice(0, MAX_TAILS),
    };
  }

  /** The versions that one lineage contributes. */
  versionsOf(name: Lineage): { held: HeldLog; key: string; version: StoredVersion }[] {
    const { live, tails } = this.counting(name);
    return [...live, ...tails].flatMap((held) => {
      const after = this.retiredSeq(held);
      const versions = [...(held.document?.records ?? [])];
      return versions
        .filter(([, version]) => version.seq > after)
        .map(([key, version]) => ({ held, key, version }));
    });
  }

  /** Every version of a class that stands in a counting log, whatever the rights. */
  candidates(recordClass: RecordClass): Candidate[] {
    return this.lineagesOf(recordClass).flatMap((name) =>
      this.versionsOf(name).map(({ held, key, version }) => ({
        id: version.id,
        lamport: version.lamport,
        supersedes: version.supersedes,
        value: version.value,
        key,
        author: held.author,
        log: held.log,
        seq: version.seq,
      })),
    );
  }

  lineagesOf(recordClass: RecordClass, author?: SiteId): Lineage[] {
    const start = author === undefined ? `${recordClass}/` : `${recordClass}/${author}/`;
    return [...this.#lineages.keys()].filter((name) => name.startsWith(start));
  }

  /** The versions of one key in all counting logs of a class, or of one author. */
  standing(
    recordClass: RecordClass,
    key: string,
    author?: SiteId,
  ): { held: HeldLog; version: StoredVersion }[] {
    return this.lineagesOf(recordClass, author).flatMap((name) => {
      const { live, tails } = this.counting(name);
      return [...live, ...tails].flatMap((held) => {
        const version = held.document?.records.get(key);
        const counts = version !== undefined && version.seq > this.retiredSeq(held);
        return counts ? [{ held, version }] : [];
      });
    });
  }

  /** Sites of which two logs of one part stand side by side: a cloned or restored box. */
  doubled(): Set<SiteId> {
    const sites = new Set<SiteId>();
    for (const [name, row] of this.#lineages) {
      const { live, tails } = this.counting(name);
      const [first] = row.values();
      if (first !== undefined && live.length + tails.length > 1) sites.add(first.author);
    }
    return sites;
  }

  #dropIdleDocument(log: LogId): void {
    const held = this.#logs.get(log);
    if (held !== undefined && !this.isLive(held)) held.document = undefined;
  }
}
