/** The worker threads of a verification: each does one shard after another. */
import { Worker } from "node:worker_threads";
import { endWorker } from "../seal/end-worker.ts";
import type { FromVerifyWorker, VerifyJob, VerifyOutcome, VerifySetup } from "./verify-message.ts";

const YOUNG_GENERATION_MIB = 4;

export class VerifyPool {
  readonly #idle: Worker[] = [];
  readonly #all: Worker[] = [];

  constructor(setup: VerifySetup, threads: number) {
    for (let started = 0; started < threads; started++) {
      const worker = new Worker(new URL("./verify-worker.ts", import.meta.url), {
        workerData: setup,
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
      });
      // Whoever waits for it hears of it.
      worker.on("error", () => {});
      this.#idle.push(worker);
      this.#all.push(worker);
    }
  }

  /** @throws Error when a worker fails, which is a bug. At most as many at once as threads. */
  async check(job: VerifyJob): Promise<VerifyOutcome> {
    const worker = this.#idle.pop();
    if (worker === undefined) throw new RangeError("more jobs than threads");
    const answer = await new Promise<FromVerifyWorker>((resolve, reject) => {
      worker.once("error", reject);
      worker.once("message", (message: FromVerifyWorker) => {
        worker.off("error", reject);
        resolve(message);
      });
      worker.postMessage(job);
    });
    this.#idle.push(worker);
    if (answer.type === "failed") throw new Error(answer.message);
    return answer.outcome;
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => endWorker(worker)));
  }
}
