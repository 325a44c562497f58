/**
 * Tells systemd how the daemon is: READY, STOPPING, RELOADING and the watchdog.
 *
 * Node has no datagram Unix sockets, so `systemd-notify` does it (about 10 ms each; the unit needs
 * NotifyAccess=all). It waits until systemd has read the message, which looks up the unit of the
 * sender: one that has ended by then is nobody's. Without NOTIFY_SOCKET nothing is started.
 * Source: sd_notify(3), systemd-notify(1).
 */
import { execFile } from "node:child_process";
import type { Logger } from "./observe/log.ts";

export class ServiceManager {
  readonly #log: Logger;
  readonly #watched: boolean;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(log: Logger, env: NodeJS.ProcessEnv = process.env) {
    this.#log = log;
    this.#watched = env["NOTIFY_SOCKET"] !== undefined;
    const everyUs = Number(env["WATCHDOG_USEC"] ?? 0);
    if (this.#watched && everyUs > 0) {
      const everyMs = Math.max(1000, everyUs / 2000);
      this.#watchdog = setInterval(() => void this.#tell(["WATCHDOG=1"]), everyMs).unref();
    }
  }

  async ready(status: string): Promise<void> {
    await this.#tell(["--ready", `--status=${status}`]);
  }

  async reloading(): Promise<void> {
    await this.#tell(["RELOADING=1"]);
  }

  async stopping(): Promise<void> {
    clearInterval(this.#watchdog);
    this.#watchdog = undefined;
    await this.#tell(["STOPPING=1"]);
  }

  async #tell(words: readonly string[]): Promise<void> {
    if (!this.#watched) return;
    await new Promise<void>((resolve) => {
      execFile("systemd-notify", words, { timeout: 5000 }, (error) => {
        if (error) this.#log.warn("systemd was not told", { error: error.message });
        resolve();
      });
    });
  }
}
