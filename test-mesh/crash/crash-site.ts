/** A real site on a disk of its own, which can be killed, lose its power, and sleep for months. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import type { TestMesh } from "../harness.ts";
import { passDays } from "../pass-days.ts";
import type { SiteOptions, TestSite } from "../test-site.ts";
import { RunningCommand } from "./command.ts";
import { DiskImage } from "./disk-image.ts";

/** All sites start at once here, on machines that may have other work. */
const START_TIMEOUT_MS = 120_000;

export class CrashSite {
  readonly site: TestSite;
  readonly #disk: DiskImage;
  #commands: RunningCommand[] = [];

  private constructor(site: TestSite, disk: DiskImage) {
    this.site = site;
    this.#disk = disk;
  }

  /** All that the site writes lies on its disk: data, keys, caches, and what it restores. */
  static async make(mesh: TestMesh, name: string, options: SiteOptions): Promise<CrashSite> {
    let disk: DiskImage | undefined;
    const site = await mesh.site(name, {
      ...options,
      onFolder: async (folder) => {
        disk = await DiskImage.make(join(mesh.directory, `${name}.disk`), folder);
      },
    });
    if (disk === undefined) throw new Error("the harness made no folder");
    // Whoever writes a configuration has done so long ago.
    for (const path of [site.configFile, site.directory]) {
      const fd = openSync(path, "r");
      fsyncSync(fd);
      closeSync(fd);
    }
    return new CrashSite(site, disk);
  }

  start(): Promise<void> {
    return this.site.start(START_TIMEOUT_MS);
  }

  /** Starts a command of this site, which dies with it. */
  begin(...args: readonly string[]): RunningCommand {
    const [program, ...words] = this.site.commandLine("--json", ...args);
    return this.beginProgram(program, words);
  }

  beginProgram(program: string, args: readonly string[]): RunningCommand {
    const command = new RunningCommand(program, args);
    this.#commands.push(command);
    return command;
  }

  /** Daemon and commands end at once. */
  async kill(): Promise<void> {
    await Promise.all([this.site.kill(), ...this.#commands.map((command) => command.kill())]);
    this.#commands = [];
  }

  /** Nobody goes on while the power is cut; what ran is gone then. */
  async cutPower(mode: "ordered" | "writeback"): Promise<void> {
    this.site.freeze();
    for (const command of this.#commands) command.freeze();
    this.#disk.cut();
    await this.kill();
    await this.#disk.unmount();
    await this.#disk.mount(mode);
  }

  /** Lets so many days of running time pass at a site that does not run. */
  sleep(days: number): Promise<void> {
    return passDays(this.site.dataDirectory, days);
  }

  async close(): Promise<void> {
    await this.kill();
    await this.#disk.unmount();
  }
}
