/**
 * Finds names that are one file: it is read once, and all of them get what was read.
 *
 * Groups are numbered as they are met; the walk is sorted, so the numbers of an unchanged tree
 * stay the same.
 */
import type { FileEntry } from "../../../../protocol/backup/tree.ts";

/** What became of a file: the complete entry, or why there is none. */
export type ReadOutcome = FileEntry | { readonly reason: string };

export class LinkGroup {
  readonly number: number;
  /** False once a second name was met. */
  isNew = true;
  readonly #waiting: ((outcome: ReadOutcome) => void)[] = [];
  #outcome: ReadOutcome | undefined;

  constructor(number: number) {
    this.number = number;
  }

  /**
   * True for the first member: it has to have the file read, and to {@link tell}. All members are
   * told, those that come later at once.
   */
  join(onOutcome: (outcome: ReadOutcome) => void): boolean {
    if (this.#outcome !== undefined) {
      onOutcome(this.#outcome);
      return false;
    }
    this.#waiting.push(onOutcome);
    return this.#waiting.length === 1;
  }

  tell(outcome: ReadOutcome): void {
    this.#outcome = outcome;
    for (const onOutcome of this.#waiting.splice(0)) onOutcome(outcome);
  }
}

export class HardLinks {
  readonly #groups = new Map<string, LinkGroup>();

  /** The group of a file that has several names; undefined for all others. */
  groupOf(stat: {
    readonly dev: bigint;
    readonly ino: bigint;
    readonly nlink: bigint;
  }): LinkGroup | undefined {
    if (stat.nlink < 2n) return undefined;
    const key = `${stat.dev}:${stat.ino}`;
    const known = this.#groups.get(key);
    if (known !== undefined) {
      known.isNew = false;
      return known;
    }
    const group = new LinkGroup(this.#groups.size);
    this.#groups.set(key, group);
    return group;
  }
}
