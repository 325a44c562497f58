/**
 * One change after another, many to one synced write.
 *
 * What arrives while a write is under way goes into the next one together, so that a peer that
 * sends thousands of entries does not cost thousands of syncs. A job resolves when its
 * changes survive a power cut.
 */
import type { Store, StoreChange } from "../core/store.ts";
import { StateError } from "./state-error.ts";

/** The most jobs that share a write: bounds how long the first of them waits. */
const MAX_GROUP = 128;

/** What a job wants to have written, and what to do once it is durable. */
export interface Outcome<Result> {
  readonly changes: readonly StoreChange[];
  /** Runs after the write, in the order of the jobs. */
  readonly publish: () => void;
  readonly result: Result;
}

interface Job {
  readonly run: () => Promise<(() => void) | undefined>;
  readonly reject: (error: unknown) => void;
}

export class CommitQueue {
  readonly #store: Store;
  readonly #jobs: Job[] = [];
  #changes: StoreChange[] = [];
  #busy: Promise<void> | undefined;
  #failure: StateError | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Runs a job after those before it.
   *
   * @throws StateError E-STATE-STORE for every job once a write has failed: what is in memory may
   *   be ahead of the disk then, and only a new start tells what is there.
   */
  enqueue<Result>(job: () => Promise<Outcome<Result>>): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const run = async (): Promise<(() => void) | undefined> => {
        let outcome;
        try {
          outcome = await job();
        } catch (error) {
          if (this.#failure !== undefined) throw this.#failure;
          reject(error instanceof Error ? error : new Error(String(error)));
          return undefined;
        }
        const { changes, publish, result } = outcome;
        this.#changes.push(...changes);
        return () => {
          publish();
          resolve(result);
        };
      };
      this.#jobs.push({ run, reject });
      this.#busy ??= this.#work();
    });
  }

  /**
   * Writes what the jobs of this group have asked for so far: for a job that has to read it.
   *
   * @throws Error of the store; the queue takes no more jobs then.
   */
  async flush(): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    if (changes.length === 0) return;
    try {
      await this.#store.write(changes, "durable");
    } catch (cause) {
      this.#failure = new StateError("E-STATE-STORE", "The store could not write.", {
        cause,
        hint: "Look at the disk, then restart the daemon.",
      });
      throw this.#failure;
    }
  }

  /** Refuses everything from now on: what is in memory is no longer what it should be. */
  fail(cause: unknown): StateError {
    this.#failure ??= new StateError("E-STATE-STORE", "The state in memory is unsound.", {
      cause,
      hint: "Restart the daemon; what was acknowledged is on disk.",
    });
    return this.#failure;
  }

  /** Ends after the jobs that are in it; later ones are refused. */
  async close(): Promise<void> {
    const closed = new StateError("E-STATE-CLOSED", "The state was closed.");
    while (this.#busy !== undefined) await this.#busy;
    this.#failure ??= closed;
  }

  async #work(): Promise<void> {
    // Not before the promise is kept: a job that comes while this ends must start the next one.
    await Promise.resolve();
    while (this.#jobs.length > 0) {
      const group = this.#jobs.splice(0, MAX_GROUP);
      const done: ((() => void) | undefined)[] = [];
      try {
        for (const job of group) done.push(await job.run());
        await this.flush();
      } catch {
        for (const { reject } of [...group, ...this.#jobs.splice(0)]) reject(this.#failure);
        break;
      }
      for (const publish of done) publish?.();
    }
    this.#busy = undefined;
  }
}
