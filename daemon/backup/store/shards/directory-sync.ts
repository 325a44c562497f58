/**
 * Makes names in directories durable, many at a time.
 *
 * A rename survives a power cut only after an fsync of its directory. Requests that come while one
 * such fsync runs share the next one, so a hundred shards at once cost a few, and each answer is
 * still given only after an fsync that began later than its rename.
 */
import { open } from "node:fs/promises";

interface Pending {
  readonly promise: Promise<void>;
  begun: boolean;
}

export class DirectorySync {
  readonly #pending = new Map<string, Pending>();

  /** Resolves when every change made in the directory before the call is on the disk. */
  sync(directory: string): Promise<void> {
    const waiting = this.#pending.get(directory);
    if (waiting !== undefined && !waiting.begun) return waiting.promise;
    const next: Pending = {
      promise: (waiting?.promise ?? Promise.resolve())
        .catch(() => {})
        .then(async () => {
          next.begun = true;
          try {
            await syncNow(directory);
          } finally {
            if (this.#pending.get(directory) === next) this.#pending.delete(directory);
          }
        }),
      begun: false,
    };
    this.#pending.set(directory, next);
    return next.promise;
  }
}

async function syncNow(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
