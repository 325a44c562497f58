/** What is measured, and which goal each figure has. */

/** In the order of the table. */
export const WORKS = [
  "smallFirst",
  "largeFirst",
  "unchanged",
  "smallStored",
  "largeStored",
  "smallRestore",
  "largeRestore",
  "peakMemory",
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
}

const MIB = 1024 * 1024;

export const WORK_FACTS: Readonly<Record<Work, WorkFacts>> = {
  smallFirst: { title: "first backup, small files", unit: "seconds", goalRatio: 0.45 },
  largeFirst: { title: "first backup, large files", unit: "seconds", goalRatio: 0.6 },
  unchanged: { title: "nothing changed", unit: "seconds", goalRatio: 0.5 },
  smallStored: { title: "stored, small files", unit: "bytes", goalRatio: 1 },
  largeStored: { title: "stored, large files", unit: "bytes", goalRatio: 1 },
  smallRestore: { title: "restore, small files", unit: "seconds", goalRatio: 0.7 },
  largeRestore: { title: "restore, large files", unit: "seconds", goalRatio: 0.7 },
  peakMemory: { title: "peak memory, backups", unit: "bytes", goalBytes: 200 * MIB },
};

/** The figures of one contestant in one round, in the unit of each work. */
export type Figures = Readonly<Record<Work, number>>;
