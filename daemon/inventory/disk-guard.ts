/**
 * Keeps the daemon out of a full disk.
 *
 * A ballast file holds some room. Writes are refused before the rest is used up, so that nothing
 * fails half way; on a disk that others have filled, the ballast is given up so that the store
 * opens and closes cleanly. It is written again when there is room. It is filled with random bytes,
 * because a file system that compresses keeps no room for zeros.
 */
import { randomFillSync } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { PleachError } from "../../protocol/error.ts";
import type { Clock } from "../core/clock.ts";
import type { Host } from "../core/host.ts";
import type { Logger } from "../observe/log.ts";

export class SpaceError extends PleachError<"E-NO-SPACE"> {}

const MAX_BALLAST_BYTES = 32 * 1024 * 1024;
const MIN_BALLAST_BYTES = 4 * 1024 * 1024;
/** A twentieth of a small disk; LevelDB opens and closes with 4 MiB for its buffer. */
const BALLAST_SHARE = 20;
const CHECK_EVERY_MS = 5000;
/** A write that comes sooner after a look at the disk believes it. */
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
  readonly #path: string;
  #ballastBytes = MAX_BALLAST_BYTES;
  #held = false;
  #full = false;
  #freeBytes = 0;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => {};

  private constructor(options: DiskGuardOptions) {
    this.#options = options;
    this.#path = join(options.directory, "ballast");
  }

  /** Before anything else opens a file in the directory. Gives up the ballast on a full disk. */
  static async start(options: DiskGuardOptions): Promise<DiskGuard> {
    const guard = new DiskGuard(options);
    const { totalBytes } = await options.host.diskSpace(options.directory);
    const share = Math.floor(totalBytes / BALLAST_SHARE);
    guard.#ballastBytes = Math.min(MAX_BALLAST_BYTES, Math.max(MIN_BALLAST_BYTES, share));
    const { size } = await stat(guard.#path).catch(() => ({ size: 0 }));
    guard.#held = size >= guard.#ballastBytes;
    await guard.#look();
    if (guard.#full) await guard.#giveUp();
    guard.#schedule();
    return guard;
  }

  /** Whether writes are refused, and what is free for an unprivileged process. */
  status(): { readonly full: boolean; readonly freeBytes: number; readonly reserveBytes: number } {
    return { full: this.#full, freeBytes: this.#freeBytes, reserveBytes: this.#ballastBytes };
  }

  /**
   * Call before a write that is not to fail half way.
   *
   * @param sizeBytes - What is about to be written, beyond small change.
   * @throws SpaceError when the reserve would be touched.
   */
  async require(sizeBytes = 0): Promise<void> {
    if (this.#options.clock.monotonicMs() - this.#checkedAtMs > FRESH_MS) await this.#look();
    if (!this.#full && this.#freeBytes - sizeBytes >= this.#lowWaterBytes()) return;
    const free = Math.floor(this.#freeBytes / 2 ** 20);
    const message = `There is no space left: ${free} MiB are free where ${this.#options.directory} lies.`;
    throw new SpaceError("E-NO-SPACE", message, {
      hint: "Make room; nothing has to be restarted.",
    });
  }

  /** Before the store is closed: room for what closing writes. */
  async prepareStop(): Promise<void> {
    this.#cancel();
    await this.#look();
    if (this.#full) await this.#giveUp();
  }

  /** Below this no write is begun. */
  #lowWaterBytes(): number {
    return this.#ballastBytes / 2;
  }

  async #look(): Promise<void> {
    const { directory, host, clock, log } = this.#options;
    const { freeBytes } = await host.diskSpace(directory);
    this.#checkedAtMs = clock.monotonicMs();
    this.#freeBytes = freeBytes;
    const missingBytes = this.#held ? 0 : this.#ballastBytes;
    const full = freeBytes - missingBytes < this.#lowWaterBytes();
    if (full !== this.#full) {
      const facts = { freeBytes, directory };
      if (full) log.error("the disk is full: writes are refused", facts);
      else log.info("the disk has room again: writes are taken", facts);
    }
    this.#full = full;
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.after(CHECK_EVERY_MS, () => {
      this.#look().then(
        () => this.#schedule(),
        (error: Error) => {
          this.#options.log.error("the disk cannot be looked at", { error: error.message });
          this.#schedule();
        },
      );
    });
    if (!this.#held && !this.#full) void this.#take();
  }

  /** Writes the ballast, durable and under a temporary name first. */
  async #take(): Promise<void> {
    this.#held = true;
    const unfinished = `${this.#path}.tmp`;
    try {
      const file = await open(unfinished, "w", 0o600);
      try {
        const block = new Uint8Array(1024 * 1024);
        for (let left = this.#ballastBytes; left > 0; left -= block.length) {
          randomFillSync(block);
          await file.write(block, 0, Math.min(left, block.length));
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(unfinished, this.#path);
    } catch (error) {
      this.#held = false;
      await rm(unfinished, { force: true });
      this.#options.log.warn("the ballast cannot be written", { error: (error as Error).message });
    }
  }

  async #giveUp(): Promise<void> {
    this.#held = false;
    await rm(this.#path, { force: true });
    this.#options.log.warn("the ballast was given up to have room", {
      bytes: this.#ballastBytes,
    });
  }
}
