/** Tells a person what happens, and how long each step took. */
export class Steps {
  readonly #json: boolean;

  /** @param json - Standard output then belongs to the summary; words go to standard error. */
  constructor(json: boolean) {
    this.#json = json;
  }

  say(text: string): void {
    if (this.#json) process.stderr.write(`${text}\n`);
    else process.stdout.write(`${text}\n`);
  }

  /** Runs one step. @returns What it gave, and its time in seconds. */
  async run<T>(
    name: string,
    act: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly seconds: number }> {
    const fromMs = performance.now();
    const value = await act();
    const seconds = secondsSince(fromMs);
    this.say(`  ${name.padEnd(62)} ${seconds.toFixed(1).padStart(6)} s`);
    return { value, seconds };
  }
}

/** Seconds since a moment of `performance.now()`, to the millisecond. */
export function secondsSince(fromMs: number): number {
  return Math.round(performance.now() - fromMs) / 1000;
}
