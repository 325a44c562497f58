/**
 * Shows how far a long work is: one changing line on a terminal, a line each 10 s elsewhere.
 */
import { formatBytes, formatDuration } from "./quantities.ts";

export interface Progress {
  /** What is done, in a word or two: "reading", "sealing". */
  readonly step: string;
  readonly doneBytes?: number;
  /** Left out while it is not known. */
  readonly totalBytes?: number;
  readonly doneFiles?: number;
  readonly totalFiles?: number;
  readonly bytesPerSecond?: number;
  readonly doneRecords?: number;
  readonly totalRecords?: number;
}

interface Screen {
  readonly stderr: (text: string) => void;
  readonly terminal: boolean;
}

const TERMINAL_EVERY_MS = 250;
const PIPE_EVERY_MS = 10_000;
const WIDTH = 79;

export class ProgressLine {
  readonly #screen: Screen;
  #lastMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(state: Progress): void {
    this.throttled(this.#screen.terminal ? TERMINAL_EVERY_MS : PIPE_EVERY_MS, () => {
      const line = progressText(state).slice(0, WIDTH);
      this.#screen.stderr(this.#screen.terminal ? `\r\u001b[K${line}` : `${line}\n`);
      this.#shown = this.#screen.terminal;
    });
  }

  /** Runs `act` unless it ran less than `everyMs` ago. */
  throttled(everyMs: number, act: () => void): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < everyMs) return;
    this.#lastMs = nowMs;
    act();
  }

  /** Takes the changing line away, so that other words can be printed. */
  clear(): void {
    if (this.#shown) this.#screen.stderr("\r\u001b[K");
    this.#shown = false;
  }
}

/** For example `sealing  43 %  7.0 of 16.3 GiB  1 204 files  5.4 MiB/s  29 min left`. */
export function progressText(state: Progress): string {
  const { step, doneBytes, totalBytes, doneFiles, totalFiles, bytesPerSecond } = state;
  const parts = [step];
  if (doneBytes !== undefined && totalBytes !== undefined && totalBytes > 0) {
    parts.push(`${Math.floor((100 * Math.min(doneBytes, totalBytes)) / totalBytes)} %`);
    parts.push(`${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`);
  } else if (doneBytes !== undefined) {
    parts.push(formatBytes(doneBytes));
  }
  if (doneFiles !== undefined) {
    parts.push(
      totalFiles === undefined ? `${doneFiles} files` : `${doneFiles}/${totalFiles} files`,
    );
  }
  const { doneRecords, totalRecords } = state;
  if (doneRecords !== undefined) parts.push(`${doneRecords}/${totalRecords} records`);
  if (bytesPerSecond !== undefined && bytesPerSecond > 0) {
    parts.push(`${formatBytes(bytesPerSecond)}/s`);
    if (doneBytes !== undefined && totalBytes !== undefined && totalBytes > doneBytes) {
      const leftMs = ((totalBytes - doneBytes) / bytesPerSecond) * 1000;
      parts.push(`${formatDuration(leftMs)} left`);
    }
  }
  return parts.join("  ");
}
