/**
 * One change after another, many to one synced write.
 *
 * What arrives while a write is under way goes into the next one together, so that a peer that
 * sends thousands of entries does not cost thousands of syncs. A job resolves when its
 * changes survive a power cut.
 */
import type { EnvelopeId } from "../../protocol/ids.ts";
import type { Store, StoreChange } from "../core/store.ts";
import { StateError } from "./state-error.ts";

/** The most jobs that share a write: bounds how long the first of them waits. */
const MAX_GROUP = 128;

/** What a job comes to, once everything that it staged is durable. */
export interface Outcome<Result> {
  /** Runs after the write, in the order of the jobs. */
  readonly publish: () => void;
  readonly result: Result;
}

/** Is told of the entries that the jobs of a group apply, before any of them runs. */
export interface GroupMarks {
  markGroup(ids: readonly EnvelopeId[]): Promise<void>;
  /** What to write when they were applied. */
  unmarkGroup(): StoreChange[];
}

interface Job {
  /** The entry of a peer that it applies. */
  readonly applies: EnvelopeId | undefined;
  /** Resolves with what to do after the write. Rejects only when the queue has failed. */
  readonly run: () => Promise<() => void>;
  readonly reject: (error: unknown) => void;
}

export class CommitQueue {
  readonly #store: Store;
  readonly #marks: GroupMarks;
  readonly #afterGroup: () => void;
  readonly #jobs: Job[] = [];
  #staged: StoreChange[] = [];
  #working: Promise<void> | undefined;
  #failure: StateError | undefined;

  /** @param afterGroup - Runs after everything of a group was published. */
  constructor(store: Store, marks: GroupMarks, afterGroup: () => void) {
    this.#store = store;
    this.#marks = marks;
    this.#afterGroup = afterGroup;
  }

  /**
   * Runs a job after those before it. A job that refuses throws a StateError before it stages
   * anything. Any other error means that memory and disk may differ, and fails the queue.
   *
   * @param applies - The entry of a peer that the job applies.
   * @throws StateError E-STATE-STORE for every job once the queue has failed: only a new start
   *   tells what is on disk.
   */
  enqueue<Result>(job: () => Promise<Outcome<Result>>, applies?: EnvelopeId): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const run = async (): Promise<() => void> => {
        try {
          const { publish, result } = await job();
          return () => {
            publish();
            resolve(result);
          };
        } catch (error) {
          if (!(error instanceof StateError) || this.#failure !== undefined)
            throw this.#fail(error);
          reject(error);
          return () => {};
        }
      };
      this.#jobs.push({ applies, run, reject });
      this.#working ??= this.#work();
    });
  }

  /** Has changes written together with those of the other jobs of the group. */
  stage(changes: readonly StoreChange[]): void {
    this.#staged.push(...changes);
  }

  /** Writes what is staged so far, for a job that has to read it. */
  async flush(): Promise<void> {
    const changes = this.#staged;
    this.#staged = [];
    if (changes.length === 0) return;
    try {
      await this.#store.write(changes, "durable");
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  /** Ends after the jobs that are in it; later ones are refused. */
  async close(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
    this.#failure ??= new StateError("E-STATE-CLOSED", "The state was closed.");
  }

  async #work(): Promise<void> {
    // Not before the promise is kept: a job that comes while this ends must start the next one.
    await Promise.resolve();
    while (this.#jobs.length > 0) {
      const group = this.#jobs.splice(0, MAX_GROUP);
      const done: (() => void)[] = [];
      try {
        await this.#marks.markGroup(group.flatMap(({ applies }) => applies ?? []));
        for (const job of group) done.push(await job.run());
        await this.#flushGroup();
      } catch (error) {
        const failure = this.#fail(error);
        for (const { reject } of [...group, ...this.#jobs.splice(0)]) reject(failure);
        break;
      }
      for (const publish of done) publish();
      this.#afterGroup();
    }
    this.#working = undefined;
  }

  /** The mark goes with what it stood for; alone it is not worth a sync. */
  async #flushGroup(): Promise<void> {
    const changes = this.#marks.unmarkGroup();
    if (this.#staged.length === 0 && changes.length > 0) await this.#store.write(changes, "cached");
    else this.stage(changes);
    await this.flush();
  }

  #fail(cause: unknown): StateError {
    this.#failure ??= new StateError("E-STATE-STORE", "The state can no longer be written.", {
      cause,
      hint: "Look at the disk, then restart the daemon.",
    });
    return this.#failure;
  }
}
