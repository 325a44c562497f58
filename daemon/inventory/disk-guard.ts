/**
 * Keeps the daemon out of a full disk: writes are refused before the last room is used, so that
 * nothing fails half way. What remains is for opening, closing and compacting the store, which
 * has a ballast of its own for the case that others have filled the disk.
 */
import { PleachError } from "../../protocol/error.ts";
import type { Clock } from "../core/clock.ts";
import type { Host } from "../core/host.ts";
import type { Logger } from "../observe/log.ts";

export class SpaceError extends PleachError<"E-NO-SPACE"> {}

/**
 * No write is begun that would leave less. More than the ballast of the store (16 MiB), which may
 * just have been given up; 8 MiB on top are two of the store's buffers.
 */
export const RESERVE_BYTES = 24 * 1024 * 1024;
const CHECK_EVERY_MS = 5000;
/** A write that comes sooner after a look at the disk believes that there is room. */
const FRESH_MS = 250;

export interface DiskGuardOptions {
  /** The data directory; it exists. */
  readonly directory: string;
  readonly host: Pick<Host, "diskSpace">;
  readonly clock: Clock;
  readonly log: Logger;
}

export class DiskGuard {
  readonly #options: DiskGuardOptions;
  #full = false;
  #freeBytes = 0;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #looking: Promise<void> | undefined;
  #cancel: () => void = () => {};

  private constructor(options: DiskGuardOptions) {
    this.#options = options;
  }

  static async start(options: DiskGuardOptions): Promise<DiskGuard> {
    const guard = new DiskGuard(options);
    await guard.#look();
    guard.#schedule();
    return guard;
  }

  /** Whether writes are refused, and what is free for an unprivileged process. */
  status(): { readonly full: boolean; readonly freeBytes: number } {
    return { full: this.#full, freeBytes: this.#freeBytes };
  }

  /**
   * Call before a write that is not to fail half way.
   *
   * @param sizeBytes - What is about to be written.
   * @throws SpaceError when it would touch the reserve.
   */
  async require(sizeBytes: number): Promise<void> {
    const ageMs = this.#options.clock.monotonicMs() - this.#checkedAtMs;
    if (ageMs > FRESH_MS) await this.#lookOnce();
    if (this.#freeBytes - sizeBytes >= RESERVE_BYTES) return;
    // Room may have been made since: what was seen a moment ago refuses nothing.
    if (ageMs <= FRESH_MS) await this.#lookOnce();
    if (this.#freeBytes - sizeBytes >= RESERVE_BYTES) return;
    const { directory } = this.#options;
    const freeMib = Math.floor(this.#freeBytes / 2 ** 20);
    const reserveMib = RESERVE_BYTES / 2 ** 20;
    const message = `No space: ${freeMib} MiB are free on the disk of ${directory}, and ${reserveMib} MiB stay in reserve.`;
    const hint = "Make room there; nothing has to be restarted.";
    throw new SpaceError("E-NO-SPACE", message, { hint });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** One look for all: entries that come together have to go on in their order. */
  #lookOnce(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)));
  }

  async #look(): Promise<void> {
    const { directory, host, clock, log } = this.#options;
    const { freeBytes } = await host.diskSpace(directory);
    this.#checkedAtMs = clock.monotonicMs();
    this.#freeBytes = freeBytes;
    const full = freeBytes < RESERVE_BYTES;
    if (full && !this.#full) log.error("the disk is full: writes are refused", { freeBytes });
    if (!full && this.#full) log.info("the disk has room: writes are taken", { freeBytes });
    this.#full = full;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.after(CHECK_EVERY_MS, () => {
      this.#look()
        .catch((error: unknown) =>
          this.#options.log.error("the disk cannot be looked at", { error: String(error) }),
        )
        .finally(() => this.#schedule());
    });
  }
}
