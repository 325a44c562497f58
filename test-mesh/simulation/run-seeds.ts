/**
 * Shares seeds out among two processes and adds up what they report.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { SeedResult } from "./run-seed.ts";

const PROCESSES = 2;
/** Some fifty times what a seed takes: a run that is not done by then never will be. */
const HUNG_AFTER_MS = 120_000;
const WORKER = new URL("run-seed-worker.ts", import.meta.url);

export interface Summary {
  /** Seeds in which something did not hold, or that never ended. */
  readonly failed: readonly number[];
  readonly simulatedMs: number;
  readonly reached: ReadonlyMap<string, number>;
}

/** @param tell - Called for each seed as it ends, in no certain order. */
export async function runSeeds(
  seeds: readonly number[],
  tell: (result: SeedResult) => void,
): Promise<Summary> {
  const left = [...seeds];
  const failed: number[] = [];
  const reached = new Map<string, number>();
  let simulatedMs = 0;
  const take = (result: SeedResult): void => {
    if (result.violation !== undefined) failed.push(result.seed);
    simulatedMs += result.simulatedMs;
    for (const [what, times] of Object.entries(result.reached)) {
      reached.set(what, (reached.get(what) ?? 0) + times);
    }
    tell(result);
  };
  const work = async (): Promise<void> => {
    let worker: Worker | undefined;
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      worker ??= new Worker();
      const result = await worker.run(seed);
      take(result);
      if (worker.isDead) worker = undefined;
    }
    worker?.end();
  };
  await Promise.all(Array.from({ length: Math.min(PROCESSES, seeds.length) }, work));
  return { failed, simulatedMs, reached };
}

/** A process of its own, so that one that hangs or dies fails its seed alone. */
class Worker {
  readonly #child: ChildProcess = fork(WORKER, {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  isDead = false;

  async run(seed: number): Promise<SeedResult> {
    const answer = Promise.withResolvers<SeedResult>();
    const failed = (violation: string): void => {
      this.isDead = true;
      answer.resolve({ seed, violation, simulatedMs: 0, reached: {} });
    };
    const onMessage = (result: SeedResult): void => answer.resolve(result);
    const onExit = (code: number | null, signal: string | null): void =>
      failed(`the process ended with ${code ?? signal}`);
    const timer = setTimeout(() => {
      failed(`not done after ${HUNG_AFTER_MS / 1000} s`);
      this.#child.kill("SIGKILL");
    }, HUNG_AFTER_MS);
    this.#child.once("message", onMessage).once("exit", onExit);
    this.#child.send(seed);
    const result = await answer.promise;
    clearTimeout(timer);
    this.#child.off("message", onMessage).off("exit", onExit);
    return result;
  }

  end(): void {
    this.#child.disconnect();
    void once(this.#child, "exit");
  }
}
