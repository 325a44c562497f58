/** What is measured, and which goal each figure has. */

/** In the order of the table. */
export const WORKS = [
  "smallFirst",
  "smallUnchanged",
  "smallChanged",
  "smallStored",
  "smallRestore",
  "largeFirst",
  "largeUnchanged",
  "largeChanged",
  "largeStored",
  "largeRestore",
  "peakMemory",
  "restoreMemory",
] as const;
export type Work = (typeof WORKS)[number];

export type Unit = "seconds" | "bytes";

export interface WorkFacts {
  readonly title: string;
  readonly unit: Unit;
  /** Our figure by the better one of the two others: at most this. */
  readonly goalRatio?: number;
  /** Our figure itself: at most this, in bytes. */
  readonly goalBytes?: number;
  /** What stands for several rounds. Default: the median. */
  readonly of?: "highest";
}

const MIB = 1024 * 1024;
const PEAK = { goalBytes: 200 * MIB, of: "highest" } as const;

/** The goals at the end of the design of backups; a run with changes has none of its own. */
export const WORK_FACTS: Readonly<Record<Work, WorkFacts>> = {
  smallFirst: { title: "small: first backup", unit: "seconds", goalRatio: 0.45 },
  smallUnchanged: { title: "small: nothing changed", unit: "seconds", goalRatio: 0.5 },
  smallChanged: { title: "small: 1 % changed", unit: "seconds" },
  smallStored: { title: "small: stored", unit: "bytes", goalRatio: 1 },
  smallRestore: { title: "small: restore", unit: "seconds", goalRatio: 0.7 },
  largeFirst: { title: "large: first backup", unit: "seconds", goalRatio: 0.6 },
  largeUnchanged: { title: "large: nothing changed", unit: "seconds", goalRatio: 0.5 },
  largeChanged: { title: "large: 1 % changed", unit: "seconds" },
  largeStored: { title: "large: stored", unit: "bytes", goalRatio: 1 },
  largeRestore: { title: "large: restore", unit: "seconds", goalRatio: 0.7 },
  peakMemory: { title: "peak memory, backups", unit: "bytes", ...PEAK },
  restoreMemory: { title: "peak memory, restores", unit: "bytes", ...PEAK },
};

/** The figures of one contestant in one round, in the unit of each work. */
export type Figures = Readonly<Record<Work, number>>;
