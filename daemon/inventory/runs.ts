/** Remembers how the last run of each data set ended, across restarts. */
import { prefixRange, type Store } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";

/** One run, as the backup client tells it; the daemon keeps it as it came. */
export interface Run {
  readonly setId: string | null;
  readonly result: "done" | "partly" | "failed";
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly unreadable: number;
  readonly error: string | null;
}

const PREFIX = "inventory/run/";
/** More than a configuration can name. */
const MAX_RUNS = 256;

export class Runs {
  readonly #store: Store;
  readonly #runs = new Map<string, Run>();

  private constructor(store: Store) {
    this.#store = store;
  }

  /** @param check - Gives back a sound run, or undefined for a record that is not one. */
  static async open(
    store: Store,
    log: Logger,
    check: (value: unknown) => Run | undefined,
  ): Promise<Runs> {
    const runs = new Runs(store);
    for await (const [key, value] of store.entries(prefixRange(PREFIX))) {
      const run = check(parseJson(value));
      if (run === undefined) log.warn("a record of a run is not sound", { key });
      else runs.#runs.set(key.slice(PREFIX.length), run);
    }
    return runs;
  }

  runs(): ReadonlyMap<string, Run> {
    return this.#runs;
  }

  async note(name: string, run: Run): Promise<void> {
    if (!this.#runs.has(name) && this.#runs.size >= MAX_RUNS) return;
    const value = Uint8Array.from(Buffer.from(JSON.stringify(run)));
    await this.#store.write([{ kind: "put", key: PREFIX + name, value }], "durable");
    this.#runs.set(name, run);
  }
}

function parseJson(value: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(value).toString("utf8"));
  } catch {
    return undefined;
  }
}
