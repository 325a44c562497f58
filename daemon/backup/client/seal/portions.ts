/**
 * Has the shards of a long run listed in portions, before there is a snapshot.
 *
 * The daemon spreads them at once, and a run that is cut off loses little: the next one finds them
 * in the list and in the journal.
 */
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import type { RunJournal } from "../run/run-journal.ts";

/** Some ten seconds of work on an old machine; a list is signed for each. */
export const PORTION_BYTES = 256 * 1024 * 1024;

export class Portions {
  readonly #commit: (tables: readonly ShardTable[]) => Promise<void>;
  readonly #journal: RunJournal;
  readonly #portionBytes: number;
  readonly #listed = new Set<ShardTable>();
  #gathered: ShardTable[] = [];
  #gatheredBytes = 0;
  /** One after another: the lists of a set have one order. */
  #last: Promise<void> = Promise.resolve();

  constructor(
    commit: (tables: readonly ShardTable[]) => Promise<void>,
    journal: RunJournal,
    portionBytes: number,
  ) {
    this.#commit = commit;
    this.#journal = journal;
    this.#portionBytes = portionBytes;
  }

  /** Takes a shard that is durable in the local store. */
  add(table: ShardTable): void {
    this.#gathered.push(table);
    this.#gatheredBytes += table.sizeBytes;
    if (this.#gatheredBytes < this.#portionBytes) return;
    const portion = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#last = this.#last.then(async () => {
      // Before the list: a shard that is listed but in no journal and no index would stay for ever.
      // Where there is no room for the journal, the shards are listed at the end.
      if (!this.#isNoted(portion)) return;
      await this.#commit(portion);
      for (const each of portion) this.#listed.add(each);
    });
    // Told to whoever waits for the end.
    this.#last.catch(() => {});
  }

  #isNoted(portion: readonly ShardTable[]): boolean {
    try {
      this.#journal.append(portion);
      return true;
    } catch (error) {
      if (error instanceof Error && "syscall" in error) return false;
      throw error;
    }
  }

  /**
   * Waits for the portions under way.
   *
   * @returns Those of the tables that were not listed yet.
   * @throws what the commit of a portion threw.
   */
  async rest(tables: readonly ShardTable[]): Promise<readonly ShardTable[]> {
    await this.#last;
    return tables.filter((table) => !this.#listed.has(table));
  }
}
