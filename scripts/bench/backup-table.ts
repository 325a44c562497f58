/** From the figures of all rounds to one for each work, ratios and a table. */
import { WORK_FACTS, WORKS, type Figures, type Unit, type Work } from "./backup-work.ts";

export const CONTESTANTS = ["pleach", "restic", "borg"] as const;
export type ContestantName = (typeof CONTESTANTS)[number];

export interface WorkResult {
  readonly work: Work;
  /** Medians of the rounds; of peaks the highest. */
  readonly figures: Readonly<Record<ContestantName, number>>;
  /** Ours by the smaller one of the two others. */
  readonly ratio: number;
  readonly goalMet: boolean;
}

/** @param rounds - The figures of each contestant, one element a round; at least one. */
export function judge(
  rounds: Readonly<Record<ContestantName, readonly Figures[]>>,
): readonly WorkResult[] {
  return WORKS.map((work) => {
    const { goalRatio = Infinity, goalBytes = Infinity, of: kind } = WORK_FACTS[work];
    const of = (name: ContestantName): number => {
      const values = rounds[name].map((round) => round[work]);
      return kind === "highest" ? Math.max(...values) : median(values);
    };
    const figures = { pleach: of("pleach"), restic: of("restic"), borg: of("borg") };
    const ratio = figures.pleach / Math.min(figures.restic, figures.borg);
    return { work, figures, ratio, goalMet: ratio <= goalRatio && figures.pleach <= goalBytes };
  });
}

/** @throws RangeError for no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new RangeError("median of nothing");
  return (low + high) / 2;
}

/** One line per work, within 80 columns. */
export function tableOf(results: readonly WorkResult[]): string {
  const head = ["WORK", ...CONTESTANTS.map((name) => name.toUpperCase()), "RATIO", "GOAL", ""];
  const rows = results.map(({ work, figures, ratio, goalMet }) => {
    const { title, unit } = WORK_FACTS[work];
    const cells = CONTESTANTS.map((name) => quantity(figures[name], unit));
    return [title, ...cells, ratio.toFixed(2), goalText(work), goalMet ? "ok" : "missed"];
  });
  return [head, ...rows].map((row) => line(row)).join("\n");
}

/** What `--json` prints: ratios to the better of the two others, and our own highest peak. */
export function summaryOf(results: readonly WorkResult[], ownerUplink: number) {
  const ratio = (wanted: Work): number => {
    return rounded(results.find(({ work }) => work === wanted)?.ratio ?? Number.NaN);
  };
  const peaks = results.filter(({ work }) => work === "peakMemory" || work === "restoreMemory");
  const peak = Math.max(...peaks.map(({ figures }) => figures.pleach));
  return {
    schemaVersion: 1,
    small: {
      first: ratio("smallFirst"),
      unchanged: ratio("smallUnchanged"),
      changed: ratio("smallChanged"),
      stored: ratio("smallStored"),
      restore: ratio("smallRestore"),
    },
    large: {
      first: ratio("largeFirst"),
      unchanged: ratio("largeUnchanged"),
      changed: ratio("largeChanged"),
      stored: ratio("largeStored"),
      restore: ratio("largeRestore"),
    },
    peakMiB: Math.ceil(peak / 1024 / 1024),
    ownerUplink: rounded(ownerUplink),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function line([title = "", ...cells]: readonly string[]): string {
  return `${title.padEnd(26)}${cells.map((cell) => cell.padStart(9)).join("")}`.trimEnd();
}

function goalText(work: Work): string {
  const { goalRatio, goalBytes } = WORK_FACTS[work];
  if (goalBytes !== undefined) return quantity(goalBytes, "bytes");
  return goalRatio === undefined ? "-" : goalRatio.toFixed(2);
}

function quantity(value: number, unit: Unit): string {
  return unit === "seconds" ? `${value.toFixed(2)} s` : `${(value / 1024 / 1024).toFixed(0)} MiB`;
}
