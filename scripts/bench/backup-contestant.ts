/** A program that backs up, as the comparison sees it. */
import type { CommandLine } from "./backup-measure.ts";

/** One empty store of one program, for one data set. */
export interface Repository {
  /** The command of the next run. */
  backup(): CommandLine;
  /** The command that restores the newest run into an empty directory. */
  restore(target: string): CommandLine;
  /** Where all it has stored lies. */
  readonly stored: string;
  close(): Promise<void>;
}

export interface Contestant {
  /** @param folder - Empty, for all the store needs, caches included. @param data - Absolute. */
  open(folder: string, data: string): Promise<Repository>;
}
